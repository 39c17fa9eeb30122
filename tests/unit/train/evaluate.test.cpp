// SPDX-License-Identifier: Apache-2.0
#include <graft/train/evaluate.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/batches.hpp>
#include <graft/model/llama.hpp>

#include <support/message_of.hpp>
#include <support/module_bench.hpp>
#include <support/tiny_data.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

auto const config = test::tiny_config();
using Model = Transformer<Llama, double, Reference, Lora>;

struct Case {
  Case() { test::disturb(model.trainable().params); }
  test::RandomWeights weights{config};
  Reference backend;
  Model model{config, Lora{.rank = 2, .dropout = 0.5}, backend, weights.provider()};
};

/// Each record alone, straight from the statistics of its supervised tokens.
template <class M>
std::vector<RecordNll> one_by_one(M& model, Dataset const& data) {
  std::vector<RecordNll> result;
  for (auto const& example : data.examples()) {
    result.resize(static_cast<std::size_t>(example.record) + 1);
    TokenBatch batch;
    batch.ids = example.ids;
    batch.cu_seqlens = {0, static_cast<std::int32_t>(example.ids.size())};
    for (auto const& span : example.supervised)
      for (Index t = std::max<Index>(span.begin, 1); t < span.end; ++t) {
        batch.rows.push_back(static_cast<std::int32_t>(t - 1));
        batch.targets.push_back(example.ids[static_cast<std::size_t>(t)]);
      }
    for (auto const& stats : model.forward(batch)) {
      result.back().nll -= stats.target_logprob;
      ++result.back().tokens;
    }
  }
  return result;
}

}  // namespace

TEST_CASE("evaluate: every record gets its own sum, at its place in the file, however records are ordered and packed") {
  Case one;
  auto const data = test::tiny_dataset(config, 14, 5, 9, true);
  auto const expected = one_by_one(one.model, data);
  BatchOptions const all_options[] = {{.batch_size = 1, .shuffle = false}, {.batch_size = 4, .seed = 3}, {.tokens_per_batch = 20, .seed = 8},
                                      {.batch_size = 100}};
  for (auto const& options : all_options) {
    Batches batches(data, options);
    auto const evaluation = evaluate(one.model, batches.epochs(1));
    REQUIRE(evaluation.records.size() == expected.size());
    double nll = 0;
    Index tokens = 0;
    for (std::size_t r = 0; r < expected.size(); ++r) {
      CAPTURE(r);
      CHECK(evaluation.records[r].nll == doctest::Approx(expected[r].nll).epsilon(1e-12));
      CHECK(evaluation.records[r].tokens == expected[r].tokens);
      CHECK((evaluation.records[r].tokens > 0) == (r % 3 != 1));
      nll += expected[r].nll;
      tokens += expected[r].tokens;
    }
    CHECK(evaluation.nll == doctest::Approx(nll).epsilon(1e-12));
    CHECK(evaluation.tokens == tokens);
    CHECK(evaluation.nll_per_token() == doctest::Approx(nll / static_cast<double>(tokens)));
    CHECK(evaluation.perplexity() == doctest::Approx(std::exp(nll / static_cast<double>(tokens))));
  }
}

TEST_CASE("evaluate: without adapters it is the base model") {
  Case one;
  Transformer<Llama, double, Reference, Frozen> base(config, {}, one.backend, one.weights.provider());
  Batches batches(test::tiny_dataset(config, 6), {.batch_size = 4, .shuffle = false});
  auto const adapted = evaluate(one.model, batches.epochs(1));
  batches.rewind();
  auto const off = evaluate(one.model, batches.epochs(1), false);
  batches.rewind();
  auto const expected = evaluate(base, batches.epochs(1));
  CHECK(off.nll == expected.nll);
  CHECK(adapted.nll != expected.nll);
}

TEST_CASE("evaluate: dropout is off, no gradient is touched, and no pass of training is counted") {
  Case one;
  for (auto const& param : one.model.trainable().params) std::fill_n(param.grad.data, param.grad.size(), 4.0);
  one.model.set_dropout(1, 17);
  Batches batches(test::tiny_dataset(config, 6), {.batch_size = 2, .shuffle = false});
  auto const first = evaluate(one.model, batches.epochs(1));
  batches.rewind();
  CHECK(evaluate(one.model, batches.epochs(1)).nll == first.nll);
  CHECK(one.model.pass() == 17);
  for (auto const& param : one.model.trainable().params)
    CHECK(test::Matrix::copy(param.grad) == test::Matrix(param.grad.rows, param.grad.cols, 4));
}

TEST_CASE("evaluate: no batches are no tokens; sequences that belong to no record are refused") {
  Case one;
  auto const nothing = evaluate(one.model, std::vector<TokenBatch>{});
  CHECK(nothing.records.empty());
  CHECK(nothing.nll_per_token() == 0);
  CHECK(nothing.perplexity() == 1);
  auto batch = test::random_batch(config, {4, 3});
  auto const message = [&] { return test::message_of([&] { (void)evaluate(one.model, std::vector<TokenBatch>{batch}); }); };
  CHECK(message() == "[evaluate] a batch must say which record each of its sequences is: got 0 record numbers for 2 sequences");
  batch.records = {4};
  CHECK(message() == "[evaluate] a batch must say which record each of its sequences is: got 1 record numbers for 2 sequences");
  batch.records = {4, 4};  // one record in two pieces adds up
  CHECK(message() == "no error");
}
