// SPDX-License-Identifier: Apache-2.0
#include <graft/train/constitution.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace graft;

TEST_CASE("constitution: the example has at least eight principles, and all of them are drawn, whatever the parts") {
  auto const constitution = read_constitution(test::fixtures / "../../examples/constitution.json");
  CHECK(constitution.principles.size() >= 8);
  std::set<std::string> drawn;
  for (Index record = 0; record < 200; ++record) drawn.insert(constitution.draw(7, record, 0).name);
  CHECK(drawn.size() == constitution.principles.size());
  CHECK(constitution.draw(7, 11, 2) == constitution.draw(7, 11, 2));
  std::set<std::string> rounds;
  for (Index round = 0; round < 100; ++round) rounds.insert(constitution.draw(7, 3, round).name);
  CHECK(rounds.size() == constitution.principles.size());
}

TEST_CASE("constitution: a file that is wrong is refused with its place") {
  test::TemporaryDirectory folder;
  auto const path = folder / "constitution.json";
  auto const complaint = [&](std::string const& content) {
    test::write_file(path, content);
    return test::message_of([&] { (void)read_constitution(path); });
  };
  std::string const good = R"({"name": "a", "critique": "c", "revision": "r", "preference": "p"})";
  CHECK(complaint(R"({"name": "n", "principles": []})").find("there are no principles") != std::string::npos);
  CHECK(complaint(R"({"name": "n", "principles": [)" + good + "," + good + "]}").find("principle 2: the name \"a\" stands twice") != std::string::npos);
  CHECK(complaint(R"({"name": "n", "principles": [{"name": "a", "critique": "c", "revision": "r"}]})").find("preference") != std::string::npos);
  CHECK(complaint(R"({"name": "n", "principles": [{"name": "a", "critique": "", "revision": "r", "preference": "p"}]})").find("must not be empty") !=
        std::string::npos);
  CHECK(complaint(R"({"name": "n", "rules": [], "principles": []})").find("the key \"rules\" is unknown") != std::string::npos);
  CHECK(complaint("{").find("not valid JSON") != std::string::npos);
  test::write_file(path, R"({"name": "n", "principles": [)" + good + "]}");
  CHECK(read_constitution(path).principles == std::vector<Principle>{{"a", "c", "r", "p"}});
}
