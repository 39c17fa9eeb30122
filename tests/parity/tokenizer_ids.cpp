// SPDX-License-Identifier: Apache-2.0
// Reads JSON strings, a line each, from standard input and prints the token ids of each as a JSON array. Driven by
// tokenizer_corpus.py.
//   tokenizer_ids MODEL.gguf|FOLDER [--rank] [--special] [--plain] [--decode] [--nfc] [--write FOLDER]
#include <graft/io/gguf_tokenizer.hpp>
#include <graft/io/hf_tokenizer.hpp>
#include <graft/text/merges_from_scores.hpp>
#include <graft/text/nfc.hpp>
#include <graft/text/streaming_decoder.hpp>
#include <graft/text/tokenizer.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <iostream>
#include <set>
#include <string>

int main(int count, char** arguments) try {
  std::set<std::string> const flags(arguments + 2, arguments + count);
  std::filesystem::path const source = arguments[1];
  auto spec = source.extension() == ".gguf" ? graft::read_gguf_tokenizer(graft::GgufFile(source))
                                            : graft::read_hf_tokenizer(source);
  if (flags.contains("--rank")) spec = graft::merges_from_scores(std::move(spec));
  if (flags.contains("--write")) graft::write_hf_tokenizer(spec, arguments[count - 1]);
  graft::Tokenizer const tokenizer(std::move(spec), source.string());
  graft::EncodeOptions const options{.add_special = flags.contains("--special"),
                                     .parse_special = !flags.contains("--plain")};
  std::chrono::duration<double> seconds{};
  std::size_t bytes = 0;
  for (std::string line; std::getline(std::cin, line);) {
    auto const input = nlohmann::json::parse(line);
    if (flags.contains("--decode")) {
      auto const ids = input.get<std::vector<std::int32_t>>();
      graft::StreamingDecoder stream(tokenizer);
      std::string streamed;
      for (std::int32_t const id : ids) streamed += stream.push(id);
      streamed += stream.finish();
      std::cout << nlohmann::json{tokenizer.decode(ids, {.invalid_utf8 = graft::InvalidUtf8::replace}), streamed} << '\n';
      continue;
    }
    auto const text = input.get<std::string>();
    if (flags.contains("--nfc")) {
      std::vector<graft::Index> origins;
      std::cout << nlohmann::json(graft::detail::nfc(text, origins)) << '\n';
      continue;
    }
    auto const begin = std::chrono::steady_clock::now();
    auto const ids = tokenizer.encode(text, options);
    seconds += std::chrono::steady_clock::now() - begin;
    bytes += text.size();
    std::cout << nlohmann::json(ids) << '\n';
  }
  std::cerr << bytes << " bytes in " << seconds.count() << " s\n";
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
