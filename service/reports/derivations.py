"""The derivations of both assignments, each formula as LaTeX and, for a screen reader or a terminal, as plain text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Formula:
    """One formula; ``latex`` uses what both matplotlib and latex2mathml understand."""

    text: str
    latex: str


LOGISTIC = (
    Formula("ŷ = 1 / (1 + exp(−z)),  z = wᵀx,  dŷ/dz = ŷ (1 − ŷ)",
            r"\hat{y} = \dfrac{1}{1 + e^{-z}}, \quad z = w^T x, \quad \dfrac{d\hat{y}}{dz} = \hat{y} (1 - \hat{y})"),
    Formula("C(w) = −(1/N) Σₙ [ yₙ ln ŷₙ + (1 − yₙ) ln(1 − ŷₙ) ]",
            r"C(w) = -\dfrac{1}{N} \sum_{n} [ y_n \, \ln \, \hat{y}_n + (1 - y_n) \, \ln \, (1 - \hat{y}_n) ]"),
    Formula("∂Cₙ/∂ŷₙ = −yₙ/ŷₙ + (1 − yₙ)/(1 − ŷₙ) = (ŷₙ − yₙ) / (ŷₙ (1 − ŷₙ))",
            r"\dfrac{\partial C_n}{\partial \hat{y}_n} = -\dfrac{y_n}{\hat{y}_n} + \dfrac{1 - y_n}{1 - \hat{y}_n}"
            r" = \dfrac{\hat{y}_n - y_n}{\hat{y}_n (1 - \hat{y}_n)}"),
    Formula("∂Cₙ/∂wⱼ = ∂Cₙ/∂ŷₙ · dŷₙ/dzₙ · ∂zₙ/∂wⱼ = (ŷₙ − yₙ) xₙⱼ",
            r"\dfrac{\partial C_n}{\partial w_j} = \dfrac{\partial C_n}{\partial \hat{y}_n} \dfrac{d \hat{y}_n}{d z_n}"
            r" \dfrac{\partial z_n}{\partial w_j} = (\hat{y}_n - y_n) x_{nj}"),
    Formula("∂C/∂wⱼ = −(1/N) Σₙ (yₙ − ŷₙ) xₙⱼ",
            r"\dfrac{\partial C}{\partial w_j} = -\dfrac{1}{N} \sum_{n} (y_n - \hat{y}_n) x_{nj}"),
)  # fmt: skip

SOFTMAX = (
    Formula("ŷₖ = exp(zₖ) / Σᵢ exp(zᵢ),  z = Wᵀx,  ln ŷₖ = zₖ − ln Σᵢ exp(zᵢ)",
            r"\hat{y}_k = \dfrac{e^{z_k}}{\sum_{i} e^{z_i}}, \quad z = W^T x, \quad"
            r" \ln \, \hat{y}_k = z_k - \ln \sum_{i} e^{z_i}"),
    Formula("C(W) = −(1/N) Σₙ Σₖ yₙₖ ln ŷₙₖ", r"C(W) = -\dfrac{1}{N} \sum_{n} \sum_{k} y_{nk} \, \ln \, \hat{y}_{nk}"),
    Formula("Cₙ = ln Σᵢ exp(zₙᵢ) − Σₖ yₙₖ zₙₖ, since Σₖ yₙₖ = 1",
            r"C_n = \ln \sum_{i} e^{z_{ni}} - \sum_{k} y_{nk} z_{nk}, \quad \sum_{k} y_{nk} = 1"),
    Formula("∂Cₙ/∂zₙₖ = ŷₙₖ − yₙₖ,  ∂zₙₖ/∂wⱼₖ = xₙⱼ",
            r"\dfrac{\partial C_n}{\partial z_{nk}} = \dfrac{e^{z_{nk}}}{\sum_{i} e^{z_{ni}}} - y_{nk}"
            r" = \hat{y}_{nk} - y_{nk}, \quad \dfrac{\partial z_{nk}}{\partial w_{jk}} = x_{nj}"),
    Formula("∂C/∂wⱼₖ = −(1/N) Σₙ xₙⱼ (yₙₖ − ŷₙₖ)",
            r"\dfrac{\partial C}{\partial w_{jk}} = -\dfrac{1}{N} \sum_{n} x_{nj} (y_{nk} - \hat{y}_{nk})"),
)  # fmt: skip

PENALISED = (
    Formula("J(W) = C(W) + λ ‖W‖² = C(W) + λ Σⱼₖ wⱼₖ²",
            r"J(W) = C(W) + \lambda \Vert W \Vert^2 = C(W) + \lambda \sum_{j,k} w_{jk}^2"),
    Formula("∂J/∂wⱼₖ = ∂C/∂wⱼₖ + 2 λ wⱼₖ",
            r"\dfrac{\partial J}{\partial w_{jk}} = \dfrac{\partial C}{\partial w_{jk}} + 2 \lambda w_{jk}"),
)  # fmt: skip

BACKPROPAGATION = (
    Formula("a₀ = x,  zₗ = [aₗ₋₁, 1] Wₗ,  aₗ = f(zₗ),  ŷ = softmax(z_L)",
            r"a_0 = x, \quad z_l = [ a_{l-1}, 1 ] W_l, \quad a_l = f(z_l), \quad \hat{y} = \mathrm{softmax}(z_L)"),
    Formula("C = −(1/N) Σₙ Σₖ yₙₖ ln ŷₙₖ", r"C = -\dfrac{1}{N} \sum_{n} \sum_{k} y_{nk} \, \ln \, \hat{y}_{nk}"),
    Formula("δ_L = ∂C/∂z_L = (ŷ − y) / N", r"\delta_L = \dfrac{\partial C}{\partial z_L} = \dfrac{\hat{y} - y}{N}"),
    Formula("∂C/∂Wₗ = [aₗ₋₁, 1]ᵀ δₗ", r"\dfrac{\partial C}{\partial W_l} = [ a_{l-1}, 1 ]^T \delta_l"),
    Formula("δₗ₋₁ = (δₗ Ŵₗᵀ) ∘ f′(zₗ₋₁), where Ŵₗ is Wₗ without its row of biases",
            r"\delta_{l-1} = ( \delta_l \tilde{W}_l^T ) \circ f'(z_{l-1}), \quad"
            r" \tilde{W}_l = W_l \ \mathrm{without\ its\ row\ of\ biases}"),
)  # fmt: skip

DERIVATIONS = {1: (LOGISTIC, SOFTMAX, PENALISED), 2: (BACKPROPAGATION,)}
"""All of a report, by its assignment."""
