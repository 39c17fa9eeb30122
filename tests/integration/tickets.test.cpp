// SPDX-License-Identifier: Apache-2.0
// The quickstart's data: its parts share no entity and every field of a ticket follows from the message.
#include "../../examples/quickstart/tickets.hpp"

#include <doctest/doctest.h>
#include <graft/train/answer_score.hpp>

#include <algorithm>
#include <map>

using namespace tickets;

namespace tickets {

inline std::set<std::string> words_of(Words words) { return {words.begin(), words.end()}; }

inline bool disjoint(std::set<std::string> const& a, std::set<std::string> const& b) {
  return std::none_of(a.begin(), a.end(), [&](std::string const& item) { return b.contains(item); });
}

}  // namespace tickets

TEST_CASE("tickets: names, products and orders of the parts have nothing in common, as words and as drawn") {
  std::map<Part, std::set<std::string>> entities;
  std::map<Part, Pool> const pools{{Part::train, train_pool}, {Part::valid, valid_pool}, {Part::test, test_pool}};
  for (auto const& [part, pool] : pools) {
    auto& all = entities[part];
    for (Words const words : {pool.products, pool.kinds, pool.things, pool.first_names, pool.last_names}) {
      auto const set = words_of(words);
      CHECK(set.size() == words.size());
      all.insert(set.begin(), set.end());
    }
    for (auto const& ticket : make_tickets(1, part, 300)) all.insert(ticket.order);
  }
  CHECK(disjoint(entities[Part::train], entities[Part::test]));
  CHECK(disjoint(entities[Part::train], entities[Part::valid]));
  CHECK(disjoint(entities[Part::valid], entities[Part::test]));
}

TEST_CASE("tickets: each field can be read off the message by the rules that the instructions state") {
  for (auto const part : {Part::train, Part::valid, Part::test})
    for (auto const& ticket : make_tickets(3, part, 400)) {
      INFO(ticket.message);
      auto const& text = ticket.message;
      CHECK(text.find(ticket.product) != text.npos);
      CHECK(text.find(ticket.order.substr(2)) != text.npos);
      auto const says = [&](Words words) {
        return std::any_of(words.begin(), words.end(), [&](auto word) { return text.find(word) != text.npos; });
      };
      CHECK(says(high_priority) == (ticket.priority == "high"));
      CHECK(says(low_priority) == (ticket.priority == "low"));
      if (!ticket.name.empty()) CHECK(text.ends_with(ticket.name));
      bool const signed_by_someone = std::isalpha(static_cast<unsigned char>(text.back())) != 0;
      CHECK(signed_by_someone == !ticket.name.empty());
      CHECK(text.find('{') == text.npos);
    }
}

TEST_CASE("tickets: no message comes twice, all intents and priorities come, and the seed decides everything") {
  auto const list = make_tickets(1, Part::train, 900);
  std::set<std::string> messages;
  std::map<std::string, int> counts;
  for (auto const& ticket : list) {
    messages.insert(ticket.message);
    ++counts[ticket.intent];
    ++counts[ticket.priority];
  }
  CHECK(messages.size() == 900);
  CHECK(counts.size() == intents.size() + 3);
  for (auto const& [value, count] : counts) CHECK(count > 70);
  CHECK(make_tickets(1, Part::train, 900)[899].message == list[899].message);
  CHECK(make_tickets(2, Part::train, 1)[0].message != list[0].message);
}

TEST_CASE("tickets: an answer is compact JSON with its keys in order, and scores against itself") {
  Ticket ticket{"…", "refund", "desk lamp", "A-10492", "high", ""};
  CHECK(ticket.answer() ==
        R"({"intent":"refund","product":"desk lamp","order":"A-10492","priority":"high","name":null})");
  ticket.name = "Ana Cruz";
  CHECK(ticket.answer().ends_with(R"("name":"Ana Cruz"})"));
  CHECK(graft::score_answer(ticket.answer(), ticket.answer()).exact);
  ticket.message = "Where is it?";
  CHECK(
      record(ticket, nlohmann::ordered_json::array()) ==
      R"({"prompt":[{"role":"user","content":"Where is it?"}],"completion":[{"role":"assistant","content":"{\"intent\":\"refund\",\"product\":\"desk lamp\",\"order\":\"A-10492\",\"priority\":\"high\",\"name\":\"Ana Cruz\"}"}]})"
      "\n");
}
