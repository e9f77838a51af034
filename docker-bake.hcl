# Variants of the image: `docker buildx bake fast`. All are the same Dockerfile with another set of weights.
#
#   slim    about 7 GB     no weights: a network volume, a cached model or a folder brings them
#   fast    about 55 GB    fast, camera, upscalers: 48.4 GB of weights
#   full    about 96 GB    fast, pro, camera, control, upscalers: 89.2 GB of weights
#
# Sizes are unpacked. `HF_TOKEN=... docker buildx bake fast` opens gated repositories; the token stays in the
# builder's memory and in no layer.

variable "IMAGE" {
  default = "ltx2-worker"
}

variable "VERSION" {
  default = "0.1.0"
}

variable "TORCH_INDEX_URL" {
  default = ""
}

variable "CUDA_VERSION" {
  default = "13.0"
}

group "default" {
  targets = ["slim"]
}

target "_worker" {
  context    = "."
  target     = "worker"
  platforms  = ["linux/amd64"]
  secret     = ["type=env,id=hf_token,env=HF_TOKEN"]
  args = {
    TORCH_INDEX_URL = TORCH_INDEX_URL
    CUDA_VERSION    = CUDA_VERSION
  }
}

target "slim" {
  inherits = ["_worker"]
  tags     = ["${IMAGE}:${VERSION}-slim"]
  args = {
    MODEL_SET = ""
  }
}

target "fast" {
  inherits = ["_worker"]
  tags     = ["${IMAGE}:${VERSION}-fast"]
  args = {
    MODEL_SET = "fast camera upscalers"
  }
}

target "full" {
  inherits = ["_worker"]
  tags     = ["${IMAGE}:${VERSION}-full"]
  args = {
    MODEL_SET = "fast pro camera control upscalers"
  }
}
