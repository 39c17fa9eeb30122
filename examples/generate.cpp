// SPDX-License-Identifier: Apache-2.0
// Asks a model, with and without its adapter:  generate MODEL "question" [ADAPTER]
#include <graft/graft.hpp>

#include <cstdio>

using namespace graft;

template <class Model>
void ask(Model& model, char const* question, bool adapters) {
  auto const format = ChatFormat::recognise(model.tokenizer().spec());
  std::vector<Message> const messages{{"user", question}};
  std::vector<std::vector<std::int32_t>> const prompts{
      encode_chat(model.tokenizer(), format, messages, {.add_generation_prompt = true}).ids};
  auto const answers = generate(model, prompts,
                                {.max_new_tokens = 128,
                                 .sampling = {.greedy = false, .temperature = 0.7, .top_p = 0.9, .seed = 1},
                                 .stop_ids = {*model.tokenizer().token_id(format.end_of_turn())},
                                 .adapters = adapters});
  std::printf("%s: %s\n", adapters ? "with adapter" : "base model",
              model.tokenizer().decode(answers[0].ids, {.skip_special = true}).c_str());
}

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return std::puts("usage: generate MODEL QUESTION [ADAPTER]"), 2;
  if (argc == 3) {
    auto model = load<Llama>(argv[1], Frozen{});
    ask(model, argv[2], false);
  } else {
    auto model = load_adapted<Llama>(argv[1], argv[3]);
    ask(model, argv[2], false);
    ask(model, argv[2], true);
  }
}
