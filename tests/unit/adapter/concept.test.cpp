// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/concept.hpp>

#include <graft/backend/reference.hpp>

#include <support/matrix.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

struct Plain {
  [[nodiscard]] bool targets(std::string_view) const { return true; }
};
struct WithBase : Plain {
  [[nodiscard]] bool trains(std::string_view parameter) const { return parameter == "norm"; }
  std::string target_modules = "q_proj";
};

}  // namespace

TEST_CASE("adapter: an adapter that says nothing of the base trains nothing of it and has no target modules") {
  CHECK_FALSE(trains_base_parameter(Plain{}, "norm"));
  CHECK(target_modules_of(Plain{}) == nullptr);
  CHECK(trains_base_parameter(WithBase{}, "norm"));
  CHECK_FALSE(trains_base_parameter(WithBase{}, "bias"));
  WithBase const spec;
  CHECK(target_modules_of(spec) == &spec.target_modules);
}

TEST_CASE("adapter: the layer of adapters without modules changes nothing") {
  Reference backend;
  Arena<Reference> arena(backend, 1024);
  Workspace<Reference> workspace{backend, arena};
  NoLayer<double, Reference> layer(Plain{}, LinearShape{"m", 3, 2, 0}, backend);
  Matrix const x(4, 3, 1), dy(4, 2, 1);
  Matrix y(4, 2, 5), dx(4, 3, 6), w(2, 3, 7);
  layer.forward(workspace, x.view(), y.view());
  layer.backward(workspace, x.view(), dy.view(), dx.view());
  layer.merge_into(workspace, w.view());
  CHECK(y == Matrix(4, 2, 5));
  CHECK(dx == Matrix(4, 3, 6));
  CHECK(w == Matrix(2, 3, 7));
  Params<double> params;
  layer.append(params);
  CHECK(params.empty());
}
