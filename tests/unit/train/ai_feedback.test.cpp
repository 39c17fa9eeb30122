// SPDX-License-Identifier: Apache-2.0
// The loop of critique, revision and comparison, with an author and judges that are right, or wrong, by design.
#include <graft/train/ai_feedback.hpp>

#include <graft/data/preference_record.hpp>
#include <graft/data/ranked_record.hpp>
#include <graft/data/record.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

using namespace graft;

namespace {

Constitution const constitution{"c", {{"plus", "more?", "more", "which has more?"}, {"minus", "less?", "less", "which has less?"}}};
std::vector<std::vector<Message>> const prompts{{{"user", "one"}}, {{"user", "two"}}, {{"user", "three"}}, {{"user", "four"}}};

/// Adds what the principle's name says, and knows why.
struct Scribe {
  std::vector<std::string> critique(std::span<Draft const> drafts) {
    std::vector<std::string> texts;
    for (auto const& draft : drafts) texts.push_back(draft.response + " lacks " + draft.principle->name);
    return texts;
  }
  std::vector<std::string> revise(std::span<Draft const> drafts) {
    std::vector<std::string> texts;
    for (auto const& draft : drafts) {
      CHECK(draft.critique == draft.response + " lacks " + draft.principle->name);
      texts.push_back(draft.response + (draft.principle->name == "plus" ? "+" : "-"));
    }
    return texts;
  }
};
static_assert(Author<Scribe>);

/// Likes plus signs.
struct Counter {
  double bias = 0;  ///< towards the first place
  std::vector<Verdict> compare(std::span<Comparison const> comparisons) {
    auto const score = [](std::string const& text) { return static_cast<double>(std::count(text.begin(), text.end(), '+') - std::count(text.begin(), text.end(), '-')); };
    std::vector<Verdict> verdicts;
    for (auto const& c : comparisons) verdicts.push_back({score(c.first) - score(c.second) + bias, ""});
    return verdicts;
  }
};
static_assert(Judge<Counter> && !Judge<Scribe> && !Author<Counter>);

std::vector<std::string> const responses{"a", "b", "c", "d"};

}  // namespace

TEST_CASE("ai_feedback: each round revises the answer of the one before, by a principle of its own, however the records are cut") {
  Scribe scribe;
  auto const records = revise_responses(prompts, responses, constitution, scribe, 3, 5);
  REQUIRE(records.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(records[i].rounds.size() == 3);
    std::string text = responses[i];
    for (Index round = 0; round < 3; ++round) {
      auto const& principle = constitution.draw(5, static_cast<Index>(i), round);
      auto const& kept = records[i].rounds[static_cast<std::size_t>(round)];
      CHECK(kept.principle == principle.name);
      CHECK(kept.critique == text + " lacks " + principle.name);
      text += principle.name == "plus" ? "+" : "-";
      CHECK(kept.revision == text);
    }
    CHECK(records[i].completion() == text);
  }
  auto const tail = revise_responses(std::span(prompts).subspan(2), std::span(responses).subspan(2), constitution, scribe, 3, 5, 2);
  CHECK(tail[0] == records[2]);
  CHECK(tail[1] == records[3]);
}

TEST_CASE("ai_feedback: with a judge only revisions that it likes better are kept, and the next round goes on from the answer before") {
  Scribe scribe;
  auto const records = revise_responses(prompts, responses, constitution, scribe, 4, 5, 0, Counter{.bias = 0.5});
  for (auto const& record : records) {
    CHECK(record.completion().find('-') == std::string::npos);
    for (auto const& round : record.rounds) CHECK(round.accepted == (round.principle == "plus"));
  }
}

TEST_CASE("ai_feedback: both orders are averaged, so that a judge of places says one half") {
  std::vector<std::pair<std::string, std::string>> const answers{{"x+", "x"}, {"x", "x+"}, {"x", "x"}, {"++", "-"}};
  Counter fair, biased{.bias = 1}, blind{.bias = 50};
  auto const labels = label_preferences(prompts, answers, constitution, fair, 5);
  double const p = 1 / (1 + std::exp(-1.0));
  CHECK(labels[0].probability() == doctest::Approx(p));
  CHECK(labels[1].probability() == doctest::Approx(1 - p));
  CHECK(labels[2].probability() == doctest::Approx(0.5));
  CHECK_FALSE(labels[0].follows_position());
  auto const tilted = label_preferences(prompts, answers, constitution, biased, 5);
  CHECK(tilted[0].probability() == doctest::Approx(0.5 * (1 / (1 + std::exp(-2.0)) + 0.5)));
  CHECK(tilted[2].probability() == doctest::Approx(0.5));
  auto const useless = label_preferences(prompts, answers, constitution, blind, 5);
  CHECK(useless[3].follows_position());
  CHECK(useless[3].probability() == doctest::Approx(0.5));
}

TEST_CASE("ai_feedback: records are lines that supervised fine-tuning, reward models and DPO read") {
  RevisionRecord const revised{prompts[0], "first", {{"plus", "why", "better", true}, {"minus", "why \"not\"", "worse\n", false}}};
  std::set<std::string> ignored;
  auto const record = parse_record(json_line(revised), {}, ignored);
  auto const& chat = std::get<ChatPromptCompletionRecord>(record);
  CHECK(chat.prompt == prompts[0]);
  CHECK(chat.completion == std::vector<Message>{{"assistant", "better"}});
  CHECK(json_line(revised).find('\n') == std::string::npos);

  PreferenceLabel const label{prompts[1], "no", "yes", "plus", {-2, "because"}, {1, "so"}};
  auto const line = json_line(label);
  CHECK(line.find("\"log_odds\":[-2.0,-1.0]") != std::string::npos);
  CHECK(line.find("\"rationales\":[\"because\",\"so\"]") != std::string::npos);
  auto const preference = parse_preference(line, {}, ignored);
  auto const& pair = std::get<PreferenceChat>(preference);
  CHECK(pair.chosen == std::vector<Message>{{"assistant", "yes"}});
  CHECK(pair.rejected == std::vector<Message>{{"assistant", "no"}});
  CHECK(parse_ranked_record(line, ignored).source == "plus");
  CHECK(json_line(RevisionRecord{prompts[0], "\xff", {}}).find("\xef\xbf\xbd") != std::string::npos);
}

TEST_CASE("ai_feedback: what does not fit together is refused") {
  Scribe scribe;
  CHECK(test::message_of([&] { (void)revise_responses(prompts, std::span(responses).first(1), constitution, scribe, 1, 5); })
            .find("needs a response to each of 4 prompts: got 1") != std::string::npos);
  struct Silent {
    std::vector<Verdict> compare(std::span<Comparison const>) { return {}; }
  } silent;
  std::vector<std::pair<std::string, std::string>> const answers(4);
  CHECK(test::message_of([&] { (void)label_preferences(prompts, answers, constitution, silent, 5); }).find("each of 8 comparisons: got 0") !=
        std::string::npos);
}
