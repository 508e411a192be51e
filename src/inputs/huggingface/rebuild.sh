# shellcheck shell=sh
# fetch_from_hub FILE SHA256 URL... : downloads a file, with the token in HF_TOKEN if there is one. curl does not send it to
# other hosts.
fetch_from_hub() {
  token=${HF_TOKEN:-}
  fetch "$@"
  token=
}
