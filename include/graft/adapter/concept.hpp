// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/arena.hpp>
#include <graft/core/param.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

namespace graft {

/// The linear module that an adapter layer sits on: y = x·Wᵀ + b with x (T, in), y (T, out).
struct LinearShape {
  std::string name;  ///< for example model.layers.3.self_attn.q_proj
  Index in = 0;
  Index out = 0;
  Index number = 0;  ///< counts the adapted modules of a model; seeds of two modules differ by it
};

/// The bound state of an adapter on one linear module.
///   forward       y += Δ(x)
///   backward      own gradients += …;  dx += (∂Δ/∂x)ᵀ·dy unless dx is empty
///   append        adds its parameters to the list
///   merge_into    w (out, in) += Δ as a matrix, so that forward(merged) = forward(base) + Δ
/// Semantics, tested for every adapter that graft ships: at its initial values Δ = 0 unless it says otherwise;
/// merging equals the forward pass; backward accumulates and never overwrites.
template <class L, class T, class B>
concept AdapterLayer = requires(L& layer, L const& constant, Workspace<B>& workspace, In<T> x, Out<T> y, Params<T>& params) {
  { layer.forward(workspace, x, y) } -> std::same_as<void>;
  { layer.backward(workspace, x, x, y) } -> std::same_as<void>;
  { layer.append(params) } -> std::same_as<void>;
  { constant.merge_into(workspace, y) } -> std::same_as<void>;
};

/// An adapter is a plain aggregate of hyper-parameters with
///   targets(module)   whether it sits on the linear module of that name; the head, lm_head, is asked for too
///   Layer<T, B>       its bound state, built from (spec, LinearShape, backend)
/// and, where it also trains weights of the base itself,
///   trains(parameter) whether the base parameter of that name, for example model.norm.weight, is trained
/// and, where it has more to say once the model is built,
///   check(adapted)    refuses settings that fit none of the adapted modules, by an exception.
template <class A, class T, class B>
concept Adapter = std::is_aggregate_v<A> && requires(A const& spec, std::string_view module) {
  typename A::template Layer<T, B>;
  { spec.targets(module) } -> std::convertible_to<bool>;
} && std::constructible_from<typename A::template Layer<T, B>, A const&, LinearShape const&, B&> &&
                  AdapterLayer<typename A::template Layer<T, B>, T, B>;

/// Whether `spec` trains the base parameter `parameter` itself.
template <class A>
[[nodiscard]] bool trains_base_parameter(A const& spec, std::string_view parameter) {
  if constexpr (requires { spec.trains(parameter); })
    return spec.trains(parameter);
  else
    return false;
}

/// The target modules that `spec` was given, for the check that each of them hits something; nullptr if it has none.
template <class A>
[[nodiscard]] auto target_modules_of(A const& spec) {
  if constexpr (requires { spec.target_modules; })
    return &spec.target_modules;
  else if constexpr (requires { spec.active_target_modules(); })
    return spec.active_target_modules();
  else
    return nullptr;
}

/// The layer of adapters that never sit on a module.
template <class T, class B>
struct NoLayer {
  template <class Spec>
  NoLayer(Spec const&, LinearShape const&, B&) {}
  void forward(Workspace<B>&, In<T>, Out<T>) {}
  void backward(Workspace<B>&, In<T>, In<T>, Out<T>) {}
  void append(Params<T>&) {}
  void merge_into(Workspace<B>&, Out<T>) const {}
};

}  // namespace graft
