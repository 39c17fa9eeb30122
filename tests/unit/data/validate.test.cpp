// SPDX-License-Identifier: Apache-2.0
#include <graft/data/validate.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

using namespace graft;
using namespace graft::test;

namespace {

/// Two sequences: 5 6 7 | 8 9, all but the first token of each predicted.
TokenBatch good() {
  TokenBatch batch;
  batch.ids = {5, 6, 7, 8, 9};
  batch.cu_seqlens = {0, 3, 5};
  batch.rows = {0, 1, 3};
  batch.targets = {6, 7, 9};
  batch.records = {40, 41};
  batch.normalizer = 3;
  return batch;
}

}  // namespace

TEST_CASE("validate: a well-formed batch passes, with and without weights and records") {
  CHECK_NOTHROW(validate(good(), 10));
  TokenBatch batch = good();
  batch.weights = {0.5f, 0.0f, -1.0f};
  batch.prefix_tokens = {0, 3};
  batch.records.clear();
  batch.normalizer = 0;
  CHECK_NOTHROW(validate(batch, 10));
}

TEST_CASE("validate: each defect of a batch gets its sentence") {
  struct Case {
    std::function<void(TokenBatch&)> spoil;
    std::string reason;
  };
  for (Case const& c : {
           Case{[](TokenBatch& b) { b = {}; }, "must have at least one sequence: cu_seqlens has 0 entries"},
           Case{[](TokenBatch& b) { b.cu_seqlens = {0}; }, "must have at least one sequence: cu_seqlens has 1 entries"},
           Case{[](TokenBatch& b) { b.cu_seqlens[0] = 1; }, "cu_seqlens must begin with 0: got 1"},
           Case{[](TokenBatch& b) {
                  b.cu_seqlens = {0, 5, 3};
                },
                "cu_seqlens must rise: got 5 then 3 at the end of sequence 1 (record 41)"},
           Case{[](TokenBatch& b) {
                  b.cu_seqlens = {0, 0, 5};
                },
                "cu_seqlens must rise: got 0 then 0 at the end of sequence 0 (record 40)"},
           Case{[](TokenBatch& b) { b.cu_seqlens[2] = 6; }, "cu_seqlens must end with the number of tokens, 5: got 6"},
           Case{[](TokenBatch& b) { b.cu_seqlens[2] = 4; }, "cu_seqlens must end with the number of tokens, 5: got 4"},
           Case{[](TokenBatch& b) { b.prefix_tokens = {0}; }, "prefix_tokens must be empty or one for each of 2 sequences: got 1"},
           Case{[](TokenBatch& b) {
                  b.prefix_tokens = {0, 4};
                },
                "prefix_tokens must be at most the tokens of the sequence that they belong to, 3: got 4 of sequence 1 (record 41)"},
           Case{[](TokenBatch& b) {
                  b.prefix_tokens = {1, 0};
                },
                "prefix_tokens must be at most the tokens of the sequence that they belong to, 0: got 1 of sequence 0 (record 40)"},
           Case{[](TokenBatch& b) { b.records = {1}; }, "records must be empty or name each of 2 sequences: got 1"},
           Case{[](TokenBatch& b) { b.ids[3] = 10; },
                "ids must be in 0..9: got 10 at token 3 of sequence 1 (record 41) (tokenizer and model do not belong "
                "together?)"},
           Case{[](TokenBatch& b) {
                  b.ids[0] = -1;
                  b.records.clear();
                },
                "ids must be in 0..9: got -1 at token 0 of sequence 0 (tokenizer and model do not belong together?)"},
           Case{[](TokenBatch& b) {
                  b.rows.clear();
                  b.targets.clear();
                },
                "has no supervised token"},
           Case{[](TokenBatch& b) { b.targets.pop_back(); }, "needs a target for each of 3 rows: got 2"},
           Case{[](TokenBatch& b) { b.weights = {1.0f}; }, "weights must be empty or one for each of 3 rows: got 1"},
           Case{[](TokenBatch& b) { b.rows[2] = 5; }, "rows must be in 0..4: got rows[2]=5"},
           Case{[](TokenBatch& b) { b.rows[0] = -1; }, "rows must be in 0..4: got rows[0]=-1"},
           Case{[](TokenBatch& b) {
                  b.rows = {0, 3, 1};
                },
                "rows must rise: got 3 then 1 at rows[2]"},
           Case{[](TokenBatch& b) {
                  b.rows = {0, 0, 3};
                },
                "rows must rise: got 0 then 0 at rows[1]"},
           Case{[](TokenBatch& b) { b.rows[1] = 2; },
                "rows[1]=2 is the last token of sequence 0 (record 40): what follows belongs to another text"},
           Case{[](TokenBatch& b) { b.rows[2] = 4; },
                "rows[2]=4 is the last token of sequence 1 (record 41): what follows belongs to another text"},
           Case{[](TokenBatch& b) { b.targets[2] = 10; },
                "targets must be in 0..9: got targets[2]=10 of sequence 1 (record 41)"},
           Case{[](TokenBatch& b) { b.targets[0] = -100; },
                "targets must be in 0..9: got targets[0]=-100 of sequence 0 (record 40)"},
           Case{[](TokenBatch& b) {
                  b.weights = {1, std::nanf(""), 1};
                },
                "weights must be finite: got weights[1]=nan"},
           Case{[](TokenBatch& b) { b.normalizer = -1; }, "the normalizer must be finite and not negative: got -1"},
           Case{[](TokenBatch& b) { b.normalizer = std::numeric_limits<double>::infinity(); },
                "the normalizer must be finite and not negative: got inf"},
       }) {
    TokenBatch batch = good();
    c.spoil(batch);
    CHECK(message_of([&] { validate(batch, 10); }) == "[batch] " + c.reason);
  }
  CHECK(message_of([] { validate(good(), 0); }) == "[batch] vocab_size must be positive: got 0");
}
