// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/buffer.hpp>
#include <graft/core/error.hpp>
#include <graft/core/param.hpp>
#include <graft/quant/decode.hpp>
#include <graft/quant/host_tensor.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// A backend whose operations read host memory as it is, so that a mapped file can serve as weights without a copy.
template <class B>
concept ReadsHostMemory = B::reads_host_memory;

/// A weight of the base model: either frozen, in the storage of its file (possibly the mapped file itself), or trained,
/// dense in T with a gradient of the same size. Formats whose scales lie apart stay as they are where the backend reads host
/// memory; a device gets them dense.
template <Scalar T, class B>
class Weight {
 public:
  Weight() = default;

  /// `tensor` must have the shape that the module expects; `name` is its full Hugging Face name. `offset` is added to the
  /// values of the file (Gemma's norms hold gain - 1) and taken off again by `download`; for dense weights only.
  Weight(B& backend, std::string name, HostTensor const& tensor, bool trained, double offset = 0)
      : name_(std::move(name)), offset_(static_cast<T>(offset)), shape_(tensor.shape), storage_(tensor.storage), rows_(tensor.rows()), cols_(tensor.cols()) {
    if (trained || shape_.size() == 1 || (has_scales(storage_) && !ReadsHostMemory<B>)) {
      storage_ = dense_storage();
      dense_ = Buffer<T, B>(backend, rows_ * cols_);
      if (tensor.data != nullptr) upload_dense(tensor);
      if (trained) grad_ = Buffer<T, B>(backend, rows_ * cols_);
      trained_ = trained;
    } else if constexpr (ReadsHostMemory<B>) {
      owner_ = tensor.owner;
      scales_ = tensor.scales;
      frozen_data_ = tensor.data;
      mapped_ = tensor.mapped;
    } else {
      frozen_ = Buffer<std::byte, B>(backend, tensor.matrix().bytes());
      frozen_data_ = frozen_.data();
      if (tensor.data != nullptr) frozen_.upload({tensor.data, static_cast<std::size_t>(tensor.matrix().bytes())});
    }
  }

  [[nodiscard]] static constexpr Storage dense_storage() {
    return std::is_same_v<T, double> ? Storage::f64 : Storage::f32;
  }
  [[nodiscard]] bool present() const { return rows_ != 0; }
  [[nodiscard]] bool trained() const { return trained_; }
  [[nodiscard]] std::string const& name() const { return name_; }
  [[nodiscard]] std::vector<Index> const& shape() const { return shape_; }
  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index cols() const { return cols_; }
  [[nodiscard]] Storage storage() const { return storage_; }

  /// The weight as a product reads it.
  [[nodiscard]] StoredMatrix stored() const {
    auto const* data = dense_.size() != 0 ? reinterpret_cast<std::byte const*>(dense_.data()) : frozen_data_;
    return {storage_, data, rows_, cols_, scales_.get(), 0, trained_};
  }
  /// Dense weights only: vectors, and what is trained.
  [[nodiscard]] Out<T> value() const { return dense_.view(rows_, cols_); }
  /// Empty unless trained.
  [[nodiscard]] Out<T> grad() const { return trained_ ? grad_.view(rows_, cols_) : Out<T>{}; }

  /// Bytes of a frozen weight with its scales, or of the values of a dense one. Of scales that are only planned: those of
  /// double quantisation.
  [[nodiscard]] std::size_t bytes() const {
    StoredMatrix const matrix = stored();
    Index scales = 0;
    if (scales_)
      scales = scales_->bytes(rows_ * cols_);
    else if (storage_ == Storage::int8)
      scales = BlockScales{.block = cols_}.bytes(rows_ * cols_);
    else if (has_scales(storage_))
      scales = BlockScales{}.bytes_nested(rows_ * cols_);
    return static_cast<std::size_t>(matrix.bytes() + scales);
  }
  /// Whether it stays in a mapped file, whose pages can be dropped and come back.
  [[nodiscard]] bool mapped() const { return mapped_; }
  /// Adds the parts of that file.
  void append_mapped(std::vector<std::span<std::byte const>>& ranges) const {
    if (!mapped_) return;
    auto const add = [&](std::byte const* data, Index size) { ranges.emplace_back(data, static_cast<std::size_t>(size)); };
    add(frozen_data_, stored().bytes());
    if (!scales_) return;
    Index const elements = rows_ * cols_;
    add(scales_->absmax, 4 * scales_->absmax_count(elements));
    if (scales_->nested()) add(scales_->codes, scales_->blocks(elements));
  }

  void append(Params<T>& params) const {
    if (trained_) params.push_back({name_, shape_, value(), grad(), shape_.size() > 1});
  }

  /// Copies the weight as a file holds it, decoded, to host memory of rows·cols elements.
  void download(B& backend, std::span<T> host) const {
    if (dense_.size() != 0) {
      dense_.download(host);
      for (T& value : host) value -= offset_;
      return;
    }
    std::vector<std::byte> bytes;
    StoredMatrix matrix = stored();
    if constexpr (!ReadsHostMemory<B>) {
      bytes.resize(static_cast<std::size_t>(matrix.bytes()));
      backend.download(matrix.data, bytes.data(), bytes.size());
      matrix.data = bytes.data();
    }
    decode_rows(matrix, 0, rows_, MatrixView<T>(host.data(), rows_, cols_));
  }

 private:
  void upload_dense(HostTensor const& tensor) {
    std::vector<T> host(static_cast<std::size_t>(rows_ * cols_));
    decode_rows(tensor.matrix(), 0, rows_, MatrixView<T>(host.data(), rows_, cols_));
    for (T& value : host) value += offset_;
    dense_.upload(host);
  }

  std::string name_;
  T offset_{};
  std::vector<Index> shape_;
  Storage storage_ = Storage::f32;
  Index rows_ = 0;
  Index cols_ = 0;
  bool trained_ = false;
  bool mapped_ = false;
  Buffer<T, B> dense_, grad_;
  Buffer<std::byte, B> frozen_;
  std::byte const* frozen_data_ = nullptr;
  std::shared_ptr<void const> owner_;
  std::shared_ptr<BlockScales const> scales_;
};

}  // namespace graft
