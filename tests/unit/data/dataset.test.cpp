// SPDX-License-Identifier: Apache-2.0
#include <graft/data/dataset.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/gzip.hpp>
#include <support/message_of.hpp>

#include <sstream>
#include <string>
#include <variant>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

/// A tokenizer of bytes: of a prompt and completion the completion is learnt, of text all.
SupervisedTokens bytes_of(Record const& record) {
  SupervisedTokens out;
  std::string text;
  Index begin = 0;
  if (auto const* plain = std::get_if<TextRecord>(&record)) {
    text = plain->text;
  } else {
    auto const& pair = std::get<PromptCompletionRecord>(record);
    text = pair.prompt + pair.completion;
    begin = static_cast<Index>(pair.prompt.size());
  }
  for (char const c : text) out.ids.push_back(static_cast<unsigned char>(c));
  append_span(out.supervised, begin, std::ssize(text));
  return out;
}

class DataFile {
 public:
  explicit DataFile(std::string_view content) { write_file(folder_ / "d.jsonl", content); }
  [[nodiscard]] std::string path() const { return (folder_ / "d.jsonl").string(); }
  [[nodiscard]] Dataset load(DatasetOptions const& options = {}) const {
    return load_dataset(path(), bytes_of, options);
  }
  [[nodiscard]] std::string error(DatasetOptions const& options = {}) const {
    return message_of([&] { static_cast<void>(load(options)); });
  }

 private:
  TemporaryDirectory folder_;
};

std::string text_line(std::string const& text) { return "{\"text\": \"" + text + "\"}\n"; }

}  // namespace

TEST_CASE("dataset: records keep their number and line over blank lines, plain and gzip") {
  std::string const content =
      "\n" + text_line("ab") + " \t\r\n" + R"({"prompt": "pp", "completion": "c"})" + "\r\n\n" + R"({"text": "xyz"})";
  for (auto const& bytes : {content, gzip(content), "\xef\xbb\xbf" + content}) {
    DataFile const file(bytes);
    Dataset const data = file.load();
    REQUIRE(data.size() == 3);
    CHECK(data[0].ids == std::vector<std::int32_t>{'a', 'b'});
    CHECK(data[0].line == 2);
    CHECK(data[1].record == 1);
    CHECK(data[1].line == 4);
    CHECK(data[1].supervised == std::vector<TokenSpan>{{2, 3}});
    CHECK(data[2].record == 2);
    CHECK(data[2].line == 6);
    CHECK(data.report().records == 3);
    CHECK(data.report().blank_lines == 3);
    CHECK(data.report().tokens == 8);
    CHECK(data.report().supervised_tokens == 1 + 1 + 2);
    CHECK(data.report().longest == 3);
    CHECK(data.path() == file.path());
  }
}

TEST_CASE("dataset: truncation and what it drops are counted, by line") {
  DataFile const file(text_line("abcdefgh") + R"({"prompt": "12345", "completion": "c", "id": 3})" + "\n" +
                      text_line("ab") + R"({"prompt": "123", "completion": "cd"})" + "\n" + text_line("x"));
  Dataset const data = file.load({.max_length = 4});
  REQUIRE(data.size() == 3);
  CHECK(data[0].ids.size() == 4);
  CHECK(data[2].record == 3);
  CHECK(data[2].supervised == std::vector<TokenSpan>{{3, 4}});
  DatasetReport const& report = data.report();
  CHECK(report.records == 5);
  CHECK(report.truncated == 3);
  CHECK(report.tokens_cut == 4 + 2 + 1);
  CHECK(report.dropped_lines == std::vector<Index>{2, 5});  // a text of one token predicts nothing
  CHECK(report.dropped() == 2);
  CHECK(report.longest == 8);
  CHECK(report.tokens == 4 + 2 + 4);
  CHECK(report.supervised_tokens == 3 + 1 + 1);
  std::ostringstream out;
  out << report;
  CHECK(out.str() == file.path() +
                         ": 5 records, 10 tokens, 5 supervised, longest 8\n"
                         "  truncated to 4 tokens: 3 records, 7 tokens cut off\n"
                         "  dropped, no supervised token left: lines 2, 5\n"
                         "  keys ignored: id\n");
}

TEST_CASE("dataset: keep_end keeps the other end") {
  DataFile const file(R"({"prompt": "12345", "completion": "cd"})");
  Dataset const data = file.load({.max_length = 4, .truncation = Truncation::keep_end});
  CHECK(data[0].ids == std::vector<std::int32_t>{'4', '5', 'c', 'd'});
  CHECK(data[0].supervised == std::vector<TokenSpan>{{2, 4}});
  Dataset const shorter = file.load({.max_length = 2, .truncation = Truncation::keep_end});
  CHECK(shorter[0].supervised_tokens() == 1);
}

TEST_CASE("dataset: the report mentions every line that is special, and no more than 20 of a kind") {
  DatasetReport report;
  report.path = "d";
  report.merged_lines = {4};
  report.user_turns_learnt = 2;
  report.blank_lines = 1;
  for (Index line = 1; line <= 23; ++line) report.dropped_lines.push_back(line);
  std::ostringstream out;
  out << report;
  CHECK(out.str() ==
        "d: 0 records, 0 tokens, 0 supervised, longest 0\n"
        "  dropped, no supervised token left: lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, "
        "20 and 3 more\n"
        "  a token joins the prompt's end and the completion, and is learnt whole: line 4\n"
        "  completions with turns that are not the assistant's, which are learnt too: 2\n"
        "  blank lines skipped: 1\n");
}

TEST_CASE("dataset: files with nothing to learn are errors") {
  for (auto const* content : {"", "\n", " \n\t\r\n"}) {
    DataFile const file(content);
    CHECK(file.error() == "[data] " + file.path() + " has no records");
  }
  DataFile const packed(gzip(""));
  CHECK(packed.error() == "[data] " + packed.path() + " has no records");
  DataFile const prompts(R"({"prompt": "12345", "completion": "c"})");
  CHECK(prompts.error({.max_length = 5}) ==
        "[data] " + prompts.path() +
            ": no supervised token is left in any of 1 records, each cut to max_length=5 (longest 6)");
  CHECK(prompts.error({.max_length = 1}) == "[data] max_length must be at least 2: got 1");
  CHECK(prompts.error({.max_length = -7}) == "[data] max_length must be at least 2: got -7");
}

TEST_CASE("dataset: one bad line is one sentence with its place") {
  DataFile const file(text_line("a") + "\n" + "{\"text\": 5}\n" + text_line("b"));
  CHECK(file.error() == "[data] " + file.path() + ":3: text must be a string: got number");
}

TEST_CASE("dataset: all bad lines are in one error, grouped by what is wrong") {
  DataFile const file(text_line("a") + "{\"text\": 5}\n[]\n" + text_line("b") +
                      "{\"text\": 6}\n{\"text\": true}\n{\"text\": 7}");
  std::string const place = file.path() + ":";
  CHECK(file.error() == "[data] " + file.path() + " has 5 bad lines:\n  " + place +
                            "2: text must be a string: got number (also lines 5, 7)\n  " + place +
                            "3: must be a JSON object: got an array (put one record on each line: jq -c '.[]')\n  " +
                            place + "6: text must be a string: got boolean");
}

TEST_CASE("dataset: a file of another kind stops after 20 bad lines") {
  std::string content;
  for (int i = 0; i < 100000; ++i) content += "id,text\n";
  DataFile const file(content);
  std::string const message = file.error();
  CHECK(message.starts_with("[data] " + file.path() + " has 20 bad lines (reading stopped there):\n"));
  CHECK(message.find("(also lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)") !=
        message.npos);
  CHECK(message.size() < 600);
}

TEST_CASE("dataset: a gzip file that is cut off is an error, however many records came before") {
  std::string content;
  for (int i = 0; i < 3000; ++i) content += text_line("record " + std::to_string(i * 7919));
  std::string const packed = gzip(content);
  DataFile const file(packed.substr(0, packed.size() / 2));
  std::string const message = file.error();
  CHECK(message.starts_with("[data] " + file.path() + ":"));
  CHECK(message.ends_with(": the gzip stream is cut off"));
}

TEST_CASE("dataset: what the tokenizer refuses is reported like a bad line, with its tag") {
  DataFile const file(text_line("a") + text_line("b"));
  auto const refuse = [](Record const& record) {
    if (std::get<TextRecord>(record).text == "b") fail("chat", "no such format");
    return bytes_of(record);
  };
  CHECK(message_of([&] { static_cast<void>(load_dataset(file.path(), refuse)); }) ==
        "[data] " + file.path() + ":2: [chat] no such format");
}

TEST_CASE("dataset: the fingerprint tells data apart by ids, spans and borders") {
  auto const fingerprint = [](std::vector<Example> examples) { return Dataset(std::move(examples)).fingerprint(); };
  Example const a{.ids = {1, 2, 3}, .supervised = {{1, 3}}, .record = 0, .line = 1};
  Example b = a;
  b.ids[0] = 4;
  Example c = a;
  c.supervised = {{2, 3}};
  CHECK(fingerprint({a}) == fingerprint({a}));
  CHECK(fingerprint({a}) != fingerprint({b}));
  CHECK(fingerprint({a}) != fingerprint({c}));
  CHECK(fingerprint({a, b}) != fingerprint({b, a}));
  CHECK(fingerprint({a}) != fingerprint({a, a}));
}
