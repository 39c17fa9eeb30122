// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/buffer.hpp>
#include <graft/backend/reference.hpp>
#include <graft/backend/trainable.hpp>

#include <list>
#include <string>
#include <utility>
#include <vector>

namespace graft::test {

/// Named parameters in the memory of a backend, filled and read from the host: what an optimizer trains, without a model.
template <Scalar T, class B = Reference>
class ToyParams {
 public:
  /// Adds a parameter of `rows` × `cols`; a vector has rows = 1 and takes no decay.
  void add(std::string name, Index rows, Index cols, std::vector<T> const& values) {
    add(std::move(name), rows, cols, values, rows > 1);
  }
  void add(std::string name, Index rows, Index cols, std::vector<T> const& values, bool decay) {
    auto& value = buffers_.emplace_back(backend_, rows * cols);
    auto& grad = buffers_.emplace_back(backend_, rows * cols);
    value.upload(values);
    bool const vector = rows == 1;
    trainable_.backend = &backend_;
    trainable_.params.push_back({std::move(name), vector ? std::vector<Index>{cols} : std::vector<Index>{rows, cols},
                                 value.view(rows, cols), grad.view(rows, cols), decay});
  }
  void set_grad(std::size_t i, std::vector<T> const& values) { upload(values, trainable_.params[i].grad); }
  [[nodiscard]] std::vector<T> value(std::size_t i) { return read(trainable_.params[i].value); }
  [[nodiscard]] std::vector<T> grad(std::size_t i) { return read(trainable_.params[i].grad); }

  [[nodiscard]] std::vector<T> read(Out<T> view) {
    std::vector<T> host(static_cast<std::size_t>(view.size()));
    backend_.download(view.data, host.data(), host.size() * sizeof(T));
    return host;
  }
  void upload(std::vector<T> const& host, Out<T> view) {
    backend_.upload(host.data(), view.data, host.size() * sizeof(T));
  }
  [[nodiscard]] Trainable<T, B> const& trainable() const { return trainable_; }
  [[nodiscard]] B& backend() { return backend_; }

 private:
  B backend_{};
  std::list<Buffer<T, B>> buffers_;
  Trainable<T, B> trainable_;
};

}  // namespace graft::test
