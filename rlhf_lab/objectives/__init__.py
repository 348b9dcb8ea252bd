"""Formulas only: pure functions of tensors, each in one place, with its shapes, its unit and its source.

    kl                KL estimates k1, k2, k3, the exact KL, the adaptive coefficient, the best policy for a price
    advantages        from scores to advantages: token rewards with the KL penalty, GAE, baselines, GRPO's groups
    policy            surrogate losses: REINFORCE's, PPO's clip, GSPO's ratio, the value loss, what a loss averages over
    preference        what a reward model is fitted to: Bradley-Terry, ties, rankings, scores, labels
    language_model    cross-entropy with the shift by one token, entropy
    direct            preference optimisation without a reward model: DPO, IPO, KTO, ORPO, SimPO
    best_of_n         what the best of n earns, and how far it is from the policy
    masked            means, variances and whitening over real tokens

Results are float32, or float64 where the input is, whatever the model's dtype: the small differences that teach a model
drown in 16-bit rounding. Nothing here knows a model, a tokenizer or a file.
"""
