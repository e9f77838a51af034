# Variants of the image: `docker buildx bake fast`. All are the same Dockerfile with another set of weights.
#
#   slim    about 7 GB     no weights: a network volume, a cached model or a folder brings them
#   fast    about 55 GB    fast, camera, upscalers: 48.4 GB of weights
#   ltx2_3  about 53 GB    2.3-fast, 2.3-pro, 2.3-control, 2.3-upscalers: 46.4 GB of weights
#   full    about 96 GB    fast, pro, camera, control, upscalers: 89.1 GB of weights
#
# Sizes are unpacked. `HF_TOKEN=... docker buildx bake fast` opens gated repositories; the token stays in the
# builder's memory and in no layer.

variable "IMAGE" {
  default = "ltx2-worker"
}

variable "VERSION" {
  default = "0.1.0"
}

# The git revision, so that every build has a tag of its own: RunPod's hosts keep an image by its tag, and a new
# image under an old tag may not be what runs.  REVISION=$(git describe --always --dirty --abbrev=12)
variable "REVISION" {
  default = ""
}

# RFC 3339, such as $(date -u +%Y-%m-%dT%H:%M:%SZ).
variable "CREATED" {
  default = ""
}

function "tag" {
  params = [variant]
  result = "${IMAGE}:${VERSION}${REVISION == "" ? "" : "-${REVISION}"}-${variant}"
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
    VERSION         = VERSION
    REVISION        = REVISION
    CREATED         = CREATED
  }
}

target "slim" {
  inherits = ["_worker"]
  tags     = [tag("slim")]
  args = {
    MODEL_SET = ""
  }
}

target "fast" {
  inherits = ["_worker"]
  tags     = [tag("fast")]
  args = {
    MODEL_SET = "fast camera upscalers"
  }
}

target "ltx2_3" {
  inherits = ["_worker"]
  tags     = [tag("ltx2.3")]
  args = {
    MODEL_SET = "2.3-fast 2.3-pro 2.3-control 2.3-upscalers"
  }
}

target "full" {
  inherits = ["_worker"]
  tags     = [tag("full")]
  args = {
    MODEL_SET = "fast pro camera control upscalers"
  }
}
