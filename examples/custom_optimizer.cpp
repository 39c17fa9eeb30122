// SPDX-License-Identifier: Apache-2.0
// An optimizer of your own: RMSprop with momentum.  custom_optimizer MODEL train.jsonl
#include <graft/graft.hpp>
#include <graft/optim/basic_state.hpp>

#include <cmath>
#include <cstdio>

using namespace graft;

/// s = ρ·s + (1 - ρ)·g²;  m = μ·m + g/(√s + ε);  θ -= lr·m. Source: torch.optim.RMSprop.
struct RmsProp {
  double rho = 0.99;
  double momentum = 0.9;
  double eps = 1e-8;

  template <Scalar T, class B>
  class State;
};

template <Scalar T, class B>
class RmsProp::State : public BasicState<T, B> {
 public:
  State(RmsProp const& spec, Trainable<T, B> const& trainable)
      : BasicState<T, B>(trainable, {"square_avg", "momentum_buffer"}), spec_(spec) {}

  void step(double learning_rate) {
    this->begin_step(learning_rate);
    Update const update{static_cast<T>(spec_.rho), static_cast<T>(spec_.momentum), static_cast<T>(spec_.eps),
                        static_cast<T>(learning_rate)};
    this->for_each([&](auto const& param, std::size_t i) {
      this->backend().map(param.value.size(), update, static_cast<T const*>(param.grad.data), this->slot(0, i),
                          this->slot(1, i), param.value.data);
    });
  }

 private:
  struct Update {
    T rho, momentum, eps, lr;
    void operator()(T const& g, T& s, T& m, T& value) const {
      s = rho * s + (1 - rho) * g * g;
      m = momentum * m + g / (std::sqrt(s) + eps);
      value -= lr * m;
    }
  };
  RmsProp spec_;
};

int main(int argc, char** argv) {
  if (argc != 3) return std::puts("usage: custom_optimizer MODEL DATA.jsonl"), 2;
  auto model = load<Llama>(argv[1], Lora{.rank = 8, .alpha = 16});
  auto data = ChatData{argv[2], model.tokenizer(), {.batch_size = 8}};
  auto optimizer = bind(RmsProp{.momentum = 0.5}, model.trainable());
  for (int step = 0; auto const& batch : data.epochs(1)) {
    auto const report = value_and_grad(model, CrossEntropy{}, batch);
    optimizer.step(1e-4);
    std::printf("step %3d  loss %.4f\n", step++, report.value);
    if (step == 20) break;
  }
}
