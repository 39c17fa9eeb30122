// SPDX-License-Identifier: Apache-2.0
// What is an adapter and what is not.
#include <graft/adapter/concept.hpp>
#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/adapter/selected.hpp>
#include <graft/backend/dry.hpp>
#include <graft/backend/reference.hpp>

using namespace graft;

namespace {

/// True for an adapter in both scalars on a backend that computes and on the one that counts.
template <class A>
constexpr bool is_adapter = Adapter<A, float, Reference> && Adapter<A, double, Reference> && Adapter<A, float, Dry> && Adapter<A, double, Dry>;

static_assert(is_adapter<Lora> && is_adapter<Frozen> && is_adapter<FullFineTune> && is_adapter<Selected>);

template <class T, class B>
struct WholeLayer : NoLayer<T, B> {
  using NoLayer<T, B>::NoLayer;
};

struct Whole {
  template <Scalar T, class B>
  using Layer = WholeLayer<T, B>;
  [[nodiscard]] bool targets(std::string_view) const { return true; }
};
static_assert(is_adapter<Whole>);

struct WithoutLayer {
  [[nodiscard]] bool targets(std::string_view) const { return true; }
};
static_assert(!is_adapter<WithoutLayer>);

struct WithoutTargets {
  template <Scalar T, class B>
  using Layer = WholeLayer<T, B>;
};
static_assert(!is_adapter<WithoutTargets>);

struct NoAggregate : Whole {
  explicit NoAggregate(int) {}
};
static_assert(!is_adapter<NoAggregate>);

template <class T, class B>
struct WithoutMerge {
  template <class Spec>
  WithoutMerge(Spec const&, LinearShape const&, B&) {}
  void forward(Workspace<B>&, In<T>, Out<T>) {}
  void backward(Workspace<B>&, In<T>, In<T>, Out<T>) {}
  void append(Params<T>&) {}
};
template <class T, class B>
struct MergeIsNotConst : WithoutMerge<T, B> {
  using WithoutMerge<T, B>::WithoutMerge;
  void merge_into(Workspace<B>&, Out<T>) {}
};
template <class T, class B>
struct ForwardReturns : WholeLayer<T, B> {
  using WholeLayer<T, B>::WholeLayer;
  bool forward(Workspace<B>&, In<T>, Out<T>) { return true; }
};
template <class T, class B>
struct NotBuilt {
  void forward(Workspace<B>&, In<T>, Out<T>) {}
  void backward(Workspace<B>&, In<T>, In<T>, Out<T>) {}
  void append(Params<T>&) {}
  void merge_into(Workspace<B>&, Out<T>) const {}
};

template <template <class, class> class L>
struct With {
  template <Scalar T, class B>
  using Layer = L<T, B>;
  [[nodiscard]] bool targets(std::string_view) const { return true; }
};
static_assert(is_adapter<With<WholeLayer>>);
static_assert(!is_adapter<With<WithoutMerge>>);
static_assert(!is_adapter<With<MergeIsNotConst>>);
static_assert(!is_adapter<With<ForwardReturns>>);
static_assert(!is_adapter<With<NotBuilt>>);
static_assert(!is_adapter<int>);

// They are plain aggregates that compare.
static_assert(std::is_aggregate_v<Lora> && std::equality_comparable<Lora> && std::equality_comparable<Selected>);

}  // namespace
