// SPDX-License-Identifier: Apache-2.0
// A seeded source of customer messages and the tickets that they should become. Every field of a ticket is determined by
// its message: intent by what is asked for, product and order by copying (the order in one spelling), priority by the
// rule in `instructions`, name by the signature.
#pragma once

#include "ticket_words.hpp"

#include <graft/core/rng.hpp>
#include <graft/core/scalar.hpp>

#include <nlohmann/json.hpp>

#include <cctype>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace tickets {

/// The system message of training and of the tuned model: short, it is read with every record.
inline constexpr std::string_view task = "Make a ticket.";

/// What a prompted model is told; the tuned model has to know it.
inline constexpr std::string_view instructions =
    "Turn the customer's message into one line of JSON and write nothing else. Keys, in this order: "
    "intent (refund, exchange, cancel, tracking, invoice, repair, address or missing), product (as the customer writes "
    "it), "
    "order (like A-12345), priority (high if in a hurry or with a deadline, low if there is no hurry, else normal), "
    "name (who signs the message, else null).";

struct Ticket {
  std::string message;
  std::string intent;
  std::string product;
  std::string order;     ///< A- and five digits
  std::string priority;  ///< high, normal, low
  std::string name;      ///< empty: nobody signs

  /// The answer that is to be learnt: compact JSON, keys in this order.
  [[nodiscard]] std::string answer() const {
    nlohmann::ordered_json json{{"intent", intent}, {"product", product}, {"order", order}, {"priority", priority}};
    json["name"] = name.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(name);
    return json.dump();
  }
};

/// A part of the data, with entities and order numbers of its own.
enum class Part : std::uint8_t { train, valid, test };

/// The part that an order number belongs to: blocks of 500 numbers, so that each part has all leading digits.
[[nodiscard]] inline Part part_of_order(std::uint64_t number) {
  std::uint64_t const block = number / 500 % 10;
  return block == 3 || block == 7 ? Part::test : block == 5 ? Part::valid : Part::train;
}

class TicketSource {
 public:
  TicketSource(std::uint64_t seed, Part part) : rng_(seed, static_cast<std::uint64_t>(part)), part_(part) {}

  /// The next ticket; no message comes twice.
  [[nodiscard]] Ticket next() {
    Ticket ticket = draw();
    while (!seen_.insert(ticket.message).second) ticket = draw();
    return ticket;
  }

 private:
  [[nodiscard]] Pool const& pool() const {
    return part_ == Part::train ? train_pool : part_ == Part::valid ? valid_pool : test_pool;
  }
  [[nodiscard]] std::string pick(Words words) { return std::string(words[rng_.below(words.size())]); }
  [[nodiscard]] bool chance(double probability) { return rng_.uniform() < probability; }

  static void replace(std::string& text, std::string_view what, std::string_view with) {
    if (auto const at = text.find(what); at != text.npos) text.replace(at, what.size(), with);
  }

  /// A- and five digits, from the numbers of this part.
  [[nodiscard]] std::string order_number() {
    std::uint64_t number = 10000 + rng_.below(90000);
    while (part_of_order(number) != part_) number = 10000 + rng_.below(90000);
    return "A-" + std::to_string(number);
  }
  /// The same number as customers write it.
  [[nodiscard]] std::string spelled(std::string order) {
    switch (rng_.below(5)) {
      case 0:
        return "#" + order;
      case 1:
        return order.erase(1, 1);
      case 2:
        return order.replace(0, 1, "a");
      default:
        return order;
    }
  }

  /// One slip of the finger in a longer word of the text: two letters change places or one is left out.
  void add_typo(std::string& text) {
    std::vector<std::size_t> places;
    for (std::size_t i = 2; i + 2 < text.size(); ++i) {
      bool inside = true;
      for (std::size_t k = i - 2; k <= i + 2; ++k) inside = inside && std::islower(static_cast<unsigned char>(text[k]));
      auto const open = text.rfind('{', i);
      if (inside && (open == text.npos || text.find('}', open) < i)) places.push_back(i);
    }
    if (places.empty()) return;
    std::size_t const at = places[rng_.below(places.size())];
    if (chance(0.5))
      std::swap(text[at], text[at + 1]);
    else
      text.erase(at, 1);
  }

  [[nodiscard]] std::string aside(std::string const& signer) {
    std::string text = pick(asides);
    std::string other = pick(pool().first_names);
    while (signer.starts_with(other)) other = pick(pool().first_names);
    replace(text, "{other}", other);
    replace(text, "{date}", std::to_string(1 + rng_.below(28)) + " " + pick(months));
    return text;
  }

  [[nodiscard]] Ticket draw() {
    Ticket ticket;
    Intent const& intent = intents[rng_.below(intents.size())];
    ticket.intent = intent.name;
    bool const composed = !pool().kinds.empty() && chance(0.5);
    ticket.product = composed ? pick(pool().kinds) + " " + pick(pool().things) : pick(pool().products);
    ticket.order = order_number();
    if (chance(0.7)) ticket.name = pick(pool().first_names) + (chance(0.4) ? " " + pick(pool().last_names) : "");

    std::string body = pick(intent.bodies);
    if (chance(0.2)) add_typo(body);
    replace(body, "{product}", ticket.product);
    replace(body, "{order}", spelled(ticket.order));

    double const hurry = rng_.uniform();
    ticket.priority = hurry < 0.35 ? "high" : hurry < 0.6 ? "low" : "normal";
    std::string const pace = hurry < 0.35 ? pick(high_priority) : hurry < 0.6 ? pick(low_priority) : "";
    std::string const detail = chance(0.35) ? aside(ticket.name) : "";
    ticket.message = pick(greetings) + body + (chance(0.5) ? pace + detail : detail + pace);
    if (!ticket.name.empty()) {
      std::string signature = pick(signatures);
      replace(signature, "{name}", ticket.name);
      ticket.message += signature;
    }
    return ticket;
  }

  graft::Rng rng_;
  Part part_;
  std::set<std::string> seen_;
};

/// `count` tickets of one part.
[[nodiscard]] inline std::vector<Ticket> make_tickets(std::uint64_t seed, Part part, graft::Index count) {
  TicketSource source(seed, part);
  std::vector<Ticket> list;
  for (graft::Index i = 0; i < count; ++i) list.push_back(source.next());
  return list;
}

/// One line in TRL's conversational prompt/completion form. `before` is what stands in front of the customer's message:
/// nothing, a system message, or that and worked examples.
[[nodiscard]] inline std::string record(Ticket const& ticket, nlohmann::ordered_json before) {
  before.push_back({{"role", "user"}, {"content", ticket.message}});
  nlohmann::ordered_json line;
  line["prompt"] = before;
  line["completion"].push_back({{"role", "assistant"}, {"content", ticket.answer()}});
  return line.dump() + "\n";
}

}  // namespace tickets
