// SPDX-License-Identifier: Apache-2.0
#include <graft/data/chat_data.hpp>

#include <type_traits>
#include <vector>

using namespace graft;

namespace {

struct OtherBatch {};

/// Has all of it but seek: a source that cannot be resumed.
struct NoSeek {
  void next_step(std::vector<TokenBatch>& step);
  std::vector<TokenBatch> epochs(Index n);
  std::vector<std::vector<TokenBatch>> steps(Index n);
  DataCursor cursor() const;
  Index steps_per_epoch(Index epoch) const;
};

struct WithSeek : NoSeek {
  void seek(DataCursor const& cursor);
};

/// Its range gives something else than it promises.
struct WrongItem : WithSeek {
  std::vector<OtherBatch> epochs(Index n);
};

}  // namespace

static_assert(DataSource<Batches, TokenBatch> && DataSource<ChatData, TokenBatch> && DataSource<WithSeek, TokenBatch>);
static_assert(!DataSource<ChatData, OtherBatch>);
static_assert(!DataSource<NoSeek, TokenBatch>);
static_assert(!DataSource<WrongItem, TokenBatch>);
static_assert(std::is_trivially_copyable_v<DataCursor> && std::is_aggregate_v<DataCursor>);
static_assert(std::is_aggregate_v<ChatDataOptions> && std::is_aggregate_v<BatchOptions> &&
              std::is_aggregate_v<Supervision>);
