// SPDX-License-Identifier: Apache-2.0
// expect: A must model graft::Adapter: an aggregate with targets\(name\) and a nested Layer<T, B> that has forward, backward, append and merge_into
// An adapter whose layer cannot be merged, given to a model.
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/transformer.hpp>

struct Unmergeable {
  template <graft::Scalar T, class B>
  struct Layer {
    Layer(Unmergeable const&, graft::LinearShape const&, B&) {}
    void forward(graft::Workspace<B>&, graft::In<T>, graft::Out<T>) {}
    void backward(graft::Workspace<B>&, graft::In<T>, graft::In<T>, graft::Out<T>) {}
    void append(graft::Params<T>&) {}
  };
  bool targets(std::string_view) const { return true; }
};

graft::Transformer<graft::Llama, float, graft::Reference, Unmergeable>* attempt(graft::Reference& backend, graft::WeightProvider const& weights) {
  return new graft::Transformer<graft::Llama, float, graft::Reference, Unmergeable>({}, {}, backend, weights);
}
