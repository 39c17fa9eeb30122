// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/selected.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/transformer.hpp>

#include <support/message_of.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

Lora const lora{.rank = 2, .target_modules = {"q_proj"}, .bias = TrainBias::none, .modules_to_save = {"norm"}, .seed = 4};

struct Built {
  std::vector<std::string> trained;
  std::vector<std::string> adapted;
  std::vector<double> values;
};

template <class A>
Built build(A const& adapter) {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Transformer<Llama, double, Reference, A> const model(config, adapter, backend, weights.provider());
  Built built{{}, model.adapted_modules(), {}};
  for (auto const& param : model.trainable().params) {
    built.trained.push_back(param.name);
    built.values.insert(built.values.end(), param.value.data, param.value.data + param.value.size());
  }
  return built;
}

void check_same(Built const& a, Built const& b) {
  CHECK(a.trained == b.trained);
  CHECK(a.adapted == b.adapted);
  CHECK(a.values == b.values);
}

}  // namespace

TEST_CASE("selected: each method gives the very parameters of the type it stands for") {
  check_same(build(Selected{Method::lora, lora}), build(lora));
  check_same(build(Selected{Method::full, lora}), build(FullFineTune{}));
  check_same(build(Selected{Method::frozen, lora}), build(Frozen{}));
  CHECK(build(Selected{Method::lora, lora}).adapted.size() == 3);
  CHECK(build(Selected{}).trained.empty());
}

TEST_CASE("selected: targets are checked only where LoRA is chosen") {
  Lora const wrong{.rank = 2, .target_modules = {"vproj"}};
  CHECK(test::message_of([&] { build(Selected{Method::lora, wrong}); }).starts_with("[target_modules] \"vproj\" matches no linear module"));
  CHECK(build(Selected{Method::full, wrong}).adapted.empty());
  CHECK(target_modules_of(Selected{Method::full, wrong}) == nullptr);
  Selected const chosen{Method::lora, lora};
  CHECK(*target_modules_of(chosen) == lora.target_modules);
  CHECK(chosen != Selected{Method::full, lora});
}
