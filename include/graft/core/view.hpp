// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <cassert>
#include <type_traits>

namespace graft {

/// A non-owning row-major matrix: `rows` rows of `cols` contiguous elements, `stride` elements from row to row.
/// The memory may belong to a device: only a backend may dereference `data`.
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index stride = 0;

  MatrixView() = default;
  MatrixView(T* data_, Index rows_, Index cols_) : MatrixView(data_, rows_, cols_, cols_) {}
  MatrixView(T* data_, Index rows_, Index cols_, Index stride_)
      : data(data_), rows(rows_), cols(cols_), stride(stride_) {
    assert(rows >= 0 && cols >= 0 && stride >= cols);
  }
  /// A writable view converts to a read-only one.
  template <class U>
    requires(std::is_const_v<T> && std::is_same_v<U, std::remove_const_t<T>>)
  MatrixView(MatrixView<U> const& other)  // NOLINT(google-explicit-constructor)
      : MatrixView(other.data, other.rows, other.cols, other.stride) {}

  [[nodiscard]] T* row(Index r) const { return data + r * stride; }
  [[nodiscard]] Index size() const { return rows * cols; }
  [[nodiscard]] bool empty() const { return rows == 0 || cols == 0; }
  [[nodiscard]] bool contiguous() const { return stride == cols || rows <= 1; }

  /// Rows [begin, end).
  [[nodiscard]] MatrixView rows_between(Index begin, Index end) const {
    assert(0 <= begin && begin <= end && end <= rows);
    return {data + begin * stride, end - begin, cols, stride};
  }
  /// Columns [begin, end).
  [[nodiscard]] MatrixView cols_between(Index begin, Index end) const {
    assert(0 <= begin && begin <= end && end <= cols);
    return {data + begin, rows, end - begin, stride};
  }
  /// The same elements as rows of `cols_` elements. Needs a contiguous view.
  [[nodiscard]] MatrixView reshaped(Index rows_, Index cols_) const {
    assert(contiguous() && rows_ * cols_ == size());
    return {data, rows_, cols_, cols_};
  }
};

template <class T>
using In = MatrixView<T const>;
template <class T>
using Out = MatrixView<T>;

}  // namespace graft
