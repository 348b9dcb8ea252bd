"""Settings of TRL's trainers for the tests: one step on the CPU, nothing written or reported."""


def settings(config, folder, **more):
    return config(
        output_dir=str(folder),
        per_device_train_batch_size=4,
        max_steps=1,
        use_cpu=True,
        bf16=False,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        logging_steps=1,
        **more,
    )
