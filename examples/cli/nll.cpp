// SPDX-License-Identifier: Apache-2.0
// graft nll: the negative log-likelihood of each record of a file, a JSON line each.
#include "commands.hpp"
#include "record_nll.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>

namespace cli {

void add_nll(CLI::App& app) {
  struct Flags {
    ModelFlags model;
    NllFlags nll;
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("nll", "negative log-likelihood of each record: {\"nll\": sum in nats, \"tokens\": n}");
  add_model_flags(*command, flags->model);
  add_adapter_flag(*command, flags->model);
  command->add_option("--data", flags->nll.data, "JSONL file: messages, prompt + completion, or text")->required();
  command->add_option("--max-length", flags->nll.max_length, "tokens of a record; longer ones are cut")->capture_default_str();
  command->add_option("--tokens-per-batch", flags->nll.tokens_per_batch, "tokens computed together")->capture_default_str();
  command->callback([flags] {
    Session session = open_model_session(flags->model);
    auto const evaluation = record_nll(session, flags->model, flags->nll, true);
    for (auto const& record : evaluation.records)
      std::cout << nlohmann::ordered_json{{"nll", record.nll}, {"tokens", record.tokens}}.dump() << '\n';
    std::cerr << "nll per token " << evaluation.nll_per_token() << " over " << evaluation.tokens << " tokens\n";
  });
}

}  // namespace cli
