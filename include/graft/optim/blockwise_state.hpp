// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/paged_buffer.hpp>
#include <graft/core/error.hpp>
#include <graft/core/parallel.hpp>
#include <graft/optim/basic_state.hpp>
#include <graft/optim/concept.hpp>
#include <graft/optim/state_pieces.hpp>
#include <graft/quant/block_scales.hpp>
#include <graft/quant/dynamic_map.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace graft {

namespace detail {

/// One tensor of state in blocks of 256: codes of a dynamic map with a scale a block, or floats where the parameter is small.
template <Scalar T>
struct BlockwiseTensor {
  static constexpr Index block = 256;

  DynamicMap const* map;
  std::span<std::byte> codes;
  std::vector<T> absmax;  ///< of the blocks; of small parameters: the state itself

  void read(Index begin, Index count, float* out) const {
    auto const scale = static_cast<float>(absmax[static_cast<std::size_t>(codes.empty() ? 0 : begin / block)]);
    if (codes.empty())
      for (Index i = 0; i < count; ++i) out[i] = static_cast<float>(absmax[static_cast<std::size_t>(begin + i)]);
    else
      for (Index i = 0; i < count; ++i)
        out[i] = (*map)[static_cast<std::uint8_t>(codes[static_cast<std::size_t>(begin + i)])] * scale;
  }
  void write(Index begin, Index count, float const* values) {
    if (codes.empty()) {
      std::copy_n(values, count, absmax.begin() + begin);
      return;
    }
    float scale = 0;
    encode_dynamic(*map, values, count, scale, codes.data() + begin);
    absmax[static_cast<std::size_t>(begin / block)] = static_cast<T>(scale);
  }
};

}  // namespace detail

/// What 8-bit optimizers have in common: as `BasicState`, but each state tensor is 8-bit codes with one float for every 256 of
/// them. Parameters of fewer than `min_8bit_size` elements keep floats. Source: Dettmers et al., "8-bit optimizers via
/// block-wise quantization", ICLR 2022, section 2.1; bitsandbytes' CPU path. The backend must compute on host memory.
template <Scalar T, class B>
class BlockwiseState {
 public:
  static constexpr bool pages_state = true;  ///< `Paged` may take it: the codes are paged, their scales stay in memory

  /// A state tensor's name, and whether its values have a sign.
  struct Slot {
    std::string name;
    bool with_sign = true;
  };

  BlockwiseState(Trainable<T, B> trainable, std::vector<Slot> slots, Index min_8bit_size) : trainable_(std::move(trainable)), slots_(std::move(slots)) {
    static_assert(requires { requires B::reads_host_memory; }, "8-bit optimizers compute on the CPU: take a backend that reads host memory – see docs/optim.md");
    require(trainable_.backend != nullptr && !trainable_.params.empty(), "optim",
            "a model must have parameters to train: got none (is every module frozen?)");
    require(min_8bit_size >= 0, "optim", "min_8bit_size must be 0 or more: got ", min_8bit_size);
    Index codes = 0;
    for (auto const& param : trainable_.params) codes += param.value.size() >= min_8bit_size ? param.value.size() * static_cast<Index>(slots_.size()) : 0;
    codes_ = PagedBuffer<std::byte, B>(*trainable_.backend, codes, trainable_.page_directory);
    pieces_ = detail::state_pieces(trainable_);
    std::byte* free = codes_.data();
    for (auto const& param : trainable_.params) {
      require(param.value.contiguous() && param.grad.contiguous() && param.value.size() == param.grad.size(), "optim",
              "a parameter and its gradient must be contiguous and of one shape: ", param.name);
      auto& tensors = state_.emplace_back();
      for (Slot const& slot : slots_) {
        detail::BlockwiseTensor<T> tensor{slot.with_sign ? &DynamicMap::with_sign() : &DynamicMap::without_sign(), {}, {}};
        auto const size = static_cast<std::size_t>(param.value.size());
        if (param.value.size() >= min_8bit_size) {
          tensor.codes = {free, size};
          free += size;
        }
        tensor.absmax.resize(tensor.codes.empty() ? size : static_cast<std::size_t>(BlockScales::count(param.value.size(), tensor.block)));
        tensors.push_back(std::move(tensor));
      }
    }
  }

  /// Codes as NAME.exp_avg, their scales as NAME.exp_avg.absmax.
  [[nodiscard]] std::vector<StateTensor<T>> tensors() const {
    std::vector<StateTensor<T>> list;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      auto const& param = trainable_.params[i];
      for (std::size_t s = 0; s < slots_.size(); ++s) {
        auto& tensor = state_[i][s];
        std::string const name = param.name + "." + slots_[s].name;
        auto const count = static_cast<Index>(tensor.absmax.size());
        Out<T> const scales(tensor.absmax.data(), 1, count);
        if (tensor.codes.empty()) {
          list.push_back({name, param.shape, scales.reshaped(param.value.rows, param.value.cols), {}});
        } else {
          list.push_back({.name = name, .shape = param.shape, .value = {}, .codes = tensor.codes, .paged = codes_.paged()});
          list.push_back({name + ".absmax", {count}, scales, {}});
        }
      }
    }
    return list;
  }

  [[nodiscard]] Index steps() const { return steps_; }
  void set_steps(Index steps) {
    require(steps >= 0, "optim", "the number of steps must be 0 or more: got ", steps);
    steps_ = steps;
  }
  [[nodiscard]] Trainable<T, B> const& trainable() const { return trainable_; }
  /// Memory of the state.
  [[nodiscard]] std::size_t bytes() const {
    std::size_t total = codes_.bytes();
    for (auto const& tensors : state_)
      for (auto const& tensor : tensors) total += sizeof(T) * tensor.absmax.size();
    return total;
  }

 protected:
  ~BlockwiseState() = default;

  Index begin_step(double learning_rate) {
    require(std::isfinite(learning_rate) && learning_rate >= 0, "optim",
            "the learning rate must be finite and 0 or more: got ", learning_rate, " at step ", steps_);
    return ++steps_;
  }

  /// Calls update(state, value, grad, count, decay) for each block of at most 256 elements of each parameter; state[s] points to the
  /// block's values of slot s as floats, which go back into 8 bits afterwards.
  template <std::size_t Slots, class F>
  void for_each_block(F const& update) {
    auto const each_part = [&](detail::StatePiece const& piece, auto const& f) {
      for (auto const& tensor : state_[piece.param])
        if (!tensor.codes.empty()) f(std::span<std::byte const>(tensor.codes).subspan(static_cast<std::size_t>(piece.begin), static_cast<std::size_t>(piece.end - piece.begin)));
    };
    detail::update_pieces(pieces_, codes_.paged(), each_part, [&](detail::StatePiece const& piece) {
      Param<T> const& param = trainable_.params[piece.param];
      auto& tensors = state_[piece.param];
      constexpr Index block = detail::BlockwiseTensor<T>::block;
      static_assert(paged_state_piece % block == 0);
      parallel_blocks(piece.end - piece.begin, block, [&](Index first, Index last) {
        Index const begin = piece.begin + first, end = piece.begin + last;
        float memory[Slots][static_cast<std::size_t>(block)];
        for (std::size_t s = 0; s < Slots; ++s) tensors[s].read(begin, end - begin, memory[s]);
        update(memory, param.value.data + begin, param.grad.data + begin, end - begin, param.decay);
        for (std::size_t s = 0; s < Slots; ++s) tensors[s].write(begin, end - begin, memory[s]);
      });
    });
  }

 private:
  Trainable<T, B> trainable_;
  std::vector<Slot> slots_;
  PagedBuffer<std::byte, B> codes_;  ///< of all tensors, one after the other
  std::vector<detail::StatePiece> pieces_;
  mutable std::vector<std::vector<detail::BlockwiseTensor<T>>> state_;  ///< `tensors` gives write access, as memory of a backend does
  Index steps_ = 0;
};

}  // namespace graft
