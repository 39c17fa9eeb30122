// SPDX-License-Identifier: Apache-2.0
#include <graft/model/geometry.hpp>

#include "support/message_of.hpp"

#include <doctest/doctest.h>

namespace graft::test {

TEST_CASE("geometry: every preset is a configuration that fits itself") {
  for (auto const& one : detail::geometries) {
    INFO(one.name);
    auto const config = geometry(one.name);
    CHECK_NOTHROW(config.validate(one.name));
    CHECK(config.hidden_size % 64 == 0);
  }
}

TEST_CASE("geometry: the parameters of known models add up to what they are named for") {
  auto const parameters = [](std::string_view name) {
    auto const c = geometry(name);
    auto const attention = c.hidden_size * c.head_dim * (2 * c.num_attention_heads + 2 * c.num_key_value_heads);
    auto const layer = attention + 3 * c.hidden_size * c.intermediate_size + 2 * c.hidden_size;
    return c.num_hidden_layers * layer + (c.tie_word_embeddings ? 1 : 2) * c.vocab_size * c.hidden_size + c.hidden_size;
  };
  CHECK(parameters("smollm2-135m") == 134515008);
  CHECK(parameters("llama-7b") == 6738415616);
  CHECK(parameters("llama-13b") == 13015864320);
  CHECK(parameters("llama-65b") == 65285660672);
  CHECK(parameters("llama-3-8b") == 8030261248);
  CHECK(parameters("mistral-7b") == 7241732096);
}

TEST_CASE("geometry: an unknown name is refused with the names that there are") {
  auto const message = message_of([] { (void)geometry("llama-6b"); });
  CHECK(message.find("\"llama-6b\" is none of smollm2-135m") != std::string::npos);
  CHECK(message.find("llama-65b") != std::string::npos);
}

}  // namespace graft::test
