// SPDX-License-Identifier: Apache-2.0
// Makes the data of the quickstart: customer messages and the JSON tickets that they should become.
//
//   make_tickets DIR [SEED]
//
// train.jsonl (900), valid.jsonl (40), test.jsonl (200): message → ticket, under a system message of a few words.
// test_prompted.jsonl, test_fewshot.jsonl: the same test records with instructions, and with three worked examples too.
// Names, products and order numbers of the three parts have nothing in common. The same seed gives the same bytes.
#include "tickets.hpp"

#include <graft/io/atomic_file.hpp>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <iostream>

using nlohmann::ordered_json;

namespace tickets {

inline ordered_json system_message(std::string_view text) {
  auto list = ordered_json::array();
  list.push_back({{"role", "system"}, {"content", text}});
  return list;
}

/// The instructions and three training tickets, of each priority the one with the shortest message; nobody signs the second.
inline ordered_json worked_examples(std::vector<Ticket> const& train) {
  auto list = system_message(instructions);
  std::set<std::string> intents_shown;
  for (auto const* priority : {"high", "normal", "low"}) {
    Ticket const* shortest = nullptr;
    for (Ticket const& ticket : train)
      if (ticket.priority == priority && ticket.name.empty() == (ticket.priority == "normal") &&
          !intents_shown.contains(ticket.intent) &&
          (shortest == nullptr || ticket.message.size() < shortest->message.size()))
        shortest = &ticket;
    intents_shown.insert(shortest->intent);
    list.push_back({{"role", "user"}, {"content", shortest->message}});
    list.push_back({{"role", "assistant"}, {"content", shortest->answer()}});
  }
  return list;
}

inline void write(std::filesystem::path const& path, std::vector<Ticket> const& list, ordered_json const& before) {
  std::string text;
  for (Ticket const& ticket : list) text += record(ticket, before);
  graft::write_atomically(path, text);
  std::cout << path.string() << ": " << list.size() << " records\n";
}

inline int run(std::filesystem::path const& folder, std::uint64_t seed) {
  std::filesystem::create_directories(folder);
  auto const train = make_tickets(seed, Part::train, 900);
  auto const test = make_tickets(seed, Part::test, 200);
  write(folder / "train.jsonl", train, system_message(task));
  write(folder / "valid.jsonl", make_tickets(seed, Part::valid, 40), system_message(task));
  write(folder / "test.jsonl", test, system_message(task));
  write(folder / "test_prompted.jsonl", test, system_message(instructions));
  write(folder / "test_fewshot.jsonl", test, worked_examples(train));
  return 0;
}

}  // namespace tickets

int main(int argc, char** argv) {
  std::uint64_t seed = 1;
  bool valid = argc == 2 || argc == 3;
  if (argc == 3) {
    auto const* const end = argv[2] + std::strlen(argv[2]);
    auto const result = std::from_chars(argv[2], end, seed);
    valid = result.ec == std::errc{} && result.ptr == end;
  }
  if (!valid || argv[1][0] == '-') {
    std::cerr << "usage: make_tickets DIR [SEED]\nwrites the quickstart's data into DIR; SEED is a whole number, 1 by "
                 "default\n";
    return 2;
  }
  try {
    return tickets::run(argv[1], seed);
  } catch (std::exception const& error) {
    std::cerr << "make_tickets: " << error.what() << "\n";
    return 1;
  }
}
