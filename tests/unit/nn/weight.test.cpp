// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/weight.hpp>

#include <graft/backend/dry.hpp>
#include <graft/backend/reference.hpp>
#include <graft/core/rng.hpp>
#include <graft/quant/encode_scaled.hpp>

#include <support/stored_weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace graft;

namespace {

/// A random tensor in any storage, with an owner that counts its holders.
HostTensor tensor(Storage storage, std::vector<Index> shape) {
  Rng rng(5);
  HostTensor result{storage, std::move(shape), nullptr, nullptr};
  auto bytes = std::make_shared<std::vector<std::byte>>(test::stored_weights(storage, result.rows(), result.cols(), rng));
  result.data = bytes->data();
  result.owner = bytes;
  return result;
}

template <class T>
std::vector<T> decoded(HostTensor const& from) {
  std::vector<T> values(static_cast<std::size_t>(from.rows() * from.cols()));
  decode_rows(from.matrix(), 0, from.rows(), MatrixView<T>(values.data(), from.rows(), from.cols()));
  return values;
}

}  // namespace

TEST_CASE_TEMPLATE("weight: a frozen matrix stays in its storage, and download decodes it", T, float, double) {
  Reference backend;
  for (Storage const storage : test::all_storages) {
    CAPTURE(name(storage));
    HostTensor const from = tensor(storage, {3, 256});
    Weight<T, Reference> const weight(backend, "w", from, false);
    CHECK(weight.present());
    CHECK_FALSE(weight.trained());
    CHECK(weight.name() == "w");
    CHECK(weight.storage() == storage);
    CHECK(weight.rows() == 3);
    CHECK(weight.cols() == 256);
    CHECK(weight.grad().empty());
    auto const stored = weight.stored();
    CHECK(stored.storage == storage);
    CHECK(std::equal(stored.data, stored.data + stored.bytes(), from.data));
    std::vector<T> host(3 * 256);
    weight.download(backend, host);
    CHECK(host == decoded<T>(from));
    Params<T> params;
    weight.append(params);
    CHECK(params.empty());
  }
}

TEST_CASE("weight: host backends read frozen weights where they lie and keep their owner alive") {
  Reference backend;
  HostTensor from = tensor(Storage::q8_0, {2, 64});
  std::weak_ptr<void const> const alive = from.owner;
  auto const* const data = from.data;
  {
    Weight<float, Reference> weight(backend, "w", from, false);
    from = {};
    CHECK(weight.stored().data == data);
    CHECK_FALSE(alive.expired());
    auto const moved = std::move(weight);
    CHECK(moved.stored().data == data);
  }
  CHECK(alive.expired());
}

TEST_CASE("weight: a trained matrix is dense in the model's scalar, with a zero gradient and decay") {
  Reference backend;
  HostTensor const from = tensor(Storage::bf16, {3, 5});
  Weight<double, Reference> const weight(backend, "w", from, true);
  CHECK(weight.trained());
  CHECK(weight.storage() == Storage::f64);
  CHECK(weight.stored().storage == Storage::f64);
  CHECK(weight.stored().data == reinterpret_cast<std::byte const*>(weight.value().data));
  auto const expected = decoded<double>(from);
  for (Index i = 0; i < 15; ++i) {
    CHECK(weight.value().data[i] == expected[static_cast<std::size_t>(i)]);
    CHECK(weight.grad().data[i] == 0);
  }
  Params<double> params;
  weight.append(params);
  REQUIRE(params.size() == 1);
  CHECK(params[0].name == "w");
  CHECK(params[0].shape == std::vector<Index>{3, 5});
  CHECK(params[0].decay);
  CHECK(params[0].value.data == weight.value().data);
  CHECK(params[0].grad.data == weight.grad().data);
  CHECK(Weight<float, Reference>(backend, "w", from, true).storage() == Storage::f32);
}

TEST_CASE("weight: a vector is dense even when frozen, and its offset is added on the way in and taken off on the way out") {
  Reference backend;
  HostTensor const from = tensor(Storage::f32, {6});
  auto const file = decoded<double>(from);
  for (bool const trained : {false, true}) {
    Weight<double, Reference> const weight(backend, "v", from, trained, 1);
    CHECK(weight.shape() == std::vector<Index>{6});
    CHECK(weight.rows() == 1);
    for (Index i = 0; i < 6; ++i) CHECK(weight.value().data[i] == file[static_cast<std::size_t>(i)] + 1);
    std::vector<double> host(6);
    weight.download(backend, host);
    for (std::size_t i = 0; i < 6; ++i) CHECK(host[i] == doctest::Approx(file[i]).epsilon(1e-14));
    Params<double> params;
    weight.append(params);
    CHECK(params.size() == static_cast<std::size_t>(trained));
    if (trained) CHECK_FALSE(params[0].decay);
  }
}

TEST_CASE("weight: on the backend that only counts a shape without data is enough") {
  Dry backend;
  for (bool const trained : {false, true}) {
    Weight<float, Dry> const matrix(backend, "w", {Storage::f32, {4, 6}, nullptr, nullptr}, trained);
    CHECK(matrix.stored().rows == 4);
    CHECK(matrix.grad().size() == (trained ? 24 : 0));
    CHECK(Weight<float, Dry>(backend, "v", {Storage::f32, {6}, nullptr, nullptr}, trained).value().size() == 6);
  }
  CHECK_FALSE(Weight<float, Dry>().present());
}

TEST_CASE("weight: nf4 stays as it is where it is frozen, with its scales, and is dense where it is trained") {
  Reference backend;
  Rng rng(6);
  std::vector<float> values(6 * 32);  // blocks of 64 run over two rows
  for (float& value : values) value = static_cast<float>(rng.normal());
  HostTensor from = encode_4bit({}, values, {6, 32});
  auto const expected = decoded<float>(from);
  Weight<float, Reference> const frozen(backend, "w", from, false), trained(backend, "w", from, true);
  from = {};  // the weight keeps elements and scales alive
  CHECK(frozen.stored().storage == Storage::nf4);
  CHECK(trained.stored().storage == Storage::f32);
  for (auto const* const weight : {&frozen, &trained}) {
    std::vector<float> host(6 * 32);
    weight->download(backend, host);
    CHECK(host == expected);
  }
  std::vector<float> x(32, 0.0f), y(6), row(3 * 32);
  x[5] = 1;
  backend.linear_forward(In<float>(x.data(), 1, 32), frozen.stored(), Out<float>(y.data(), 1, 6));
  for (std::size_t r = 0; r < 6; ++r) CHECK(y[r] == expected[32 * r + 5]);
  decode_rows(frozen.stored().rows_between(3, 6), 0, 3, Out<float>(row.data(), 3, 32));
  CHECK(std::equal(row.begin(), row.end(), expected.begin() + 3 * 32));
}
