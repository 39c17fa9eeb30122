// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/view.hpp>

#include <cassert>

namespace graft {

/// y += x.
template <class T>
struct AddTo {
  GRAFT_HOST_DEVICE void operator()(T const& x, T& y) const { y += x; }
};

/// y += x for contiguous matrices of one shape.
template <class B, class T>
void add(B& backend, MatrixView<T const> x, MatrixView<T> y) {
  assert(x.contiguous() && y.contiguous() && x.size() == y.size());
  backend.map(y.size(), AddTo<T>{}, x.data, y.data);
}

/// y = factor·x.
template <class T>
struct ScaleTo {
  T factor;
  GRAFT_HOST_DEVICE void operator()(T const& x, T& y) const { y = factor * x; }
};

/// y = factor·x for contiguous matrices of one shape, which may be the same.
template <class B, class T>
void scale(B& backend, T factor, MatrixView<T const> x, MatrixView<T> y) {
  assert(x.contiguous() && y.contiguous() && x.size() == y.size());
  backend.map(y.size(), ScaleTo<T>{factor}, x.data, y.data);
}

template <class B, class T>
void set_zero(B& backend, MatrixView<T> y) {
  assert(y.contiguous());
  backend.zero(y.data, static_cast<std::size_t>(y.size()) * sizeof(T));
}

}  // namespace graft
