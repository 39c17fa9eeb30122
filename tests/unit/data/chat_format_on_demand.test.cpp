// SPDX-License-Identifier: Apache-2.0
#include <graft/data/chat_format_on_demand.hpp>

#include <doctest/doctest.h>
#include <graft/text/byte_level_spec.hpp>
#include <support/message_of.hpp>

#include <optional>
#include <string>

using namespace graft;
using namespace graft::test;

TEST_CASE("chat format on demand: plain text needs none, a given one is taken, and an unknown template is the same error each time") {
  Tokenizer const without_template(byte_level_spec());
  ChatFormatOnDemand unknown(without_template, std::nullopt);
  CHECK(unknown.get(false) == nullptr);
  std::string const first = message_of([&] { (void)unknown.get(true); });
  CHECK(first.starts_with("[chat] "));
  CHECK(message_of([&] { (void)unknown.get(true); }) == first);
  CHECK(unknown.get(false) == nullptr);

  ChatFormatOnDemand given(without_template, ChatFormat::named("chatml"));
  REQUIRE(given.get(true) != nullptr);
  CHECK(given.get(true)->name() == "chatml");
  CHECK(given.get(false) == given.get(true));
}
