"""Formulas only: pure functions of tensors, each in one place, with shapes, units and source.

    kl                KL estimators k1, k2, k3, the exact KL, the adaptive coefficient, the optimal policy at a KL price
    advantages        from scores to advantages: token rewards with the KL penalty, GAE, baselines, GRPO's groups
    policy            surrogate losses: REINFORCE's, PPO's clip, GSPO's ratio, the value loss, how a loss is averaged
    preference        losses for a reward model: Bradley-Terry, ties, rankings, scores, labels
    language_model    cross-entropy with the shift by one token, entropy
    direct            preference optimisation without a reward model: DPO, IPO, KTO, ORPO, SimPO
    best_of_n         the reward of the best of n, and its KL from the policy
    masked            means, variances and whitening over real tokens

Results are float32, or float64 if the input is, whatever the model's dtype: 16-bit rounding would hide the small
differences that a model learns from. Nothing here uses a model, a tokenizer or a file.
"""
