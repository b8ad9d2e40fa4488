"""Fetch pretrained weights that timm knows by tag, from the Hugging Face hub or its cache."""

from __future__ import annotations

from pathlib import Path

import timm
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

from roadmap.errors import Problem, escaped

FILES = ("model.safetensors", "pytorch_model.bin")


def fetch(model: str) -> Path:
    """Return the file of `NAME.tag`, downloaded unless it is in the cache. Raises Problem."""
    config = timm.get_pretrained_cfg(model) if timm.is_model_pretrained(model) else None
    if config is None or not config.hf_hub_id:
        name = model.partition(".")[0]
        tags = timm.list_pretrained(f"{name}*")[:5] if timm.is_model(name) else []
        known = f"; near: {', '.join(f'timm:{tag}' for tag in tags)}" if tags else ""
        raise Problem(f"timm has no pretrained weights {escaped(model)}{known}")
    fault: Exception | None = None
    for file in (config.hf_hub_filename,) if config.hf_hub_filename else FILES:
        try:
            return Path(hf_hub_download(config.hf_hub_id, file))
        except (EntryNotFoundError, LocalEntryNotFoundError) as error:
            fault = fault or error
        except (HfHubHTTPError, OSError) as error:
            fault = error
            break
    reason = (str(fault).strip().splitlines() or [type(fault).__name__])[0]
    raise Problem(
        f"timm:{model} cannot be downloaded from {config.hf_hub_id}: {reason}; "
        "download it where there is a network and give the file"
    )
