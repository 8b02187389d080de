#!/bin/bash
# images.sh [SERVICE...]: builds the images with the container engine that answers. See docs/deploy/images.md.
#   IMAGES_ENGINE=auto|docker|podman|buildah   IMAGES_PREFIX=gpt-trader   IMAGES_TAG=<version>   BASE_IMAGE   BUILD_IMAGE
#   IMAGES_ARGS="further options of the engine's build"
set -euo pipefail
cd "$(dirname "$0")/../.."

ALL=(market-data strategy risk-gate executor learning lab exchange-sim tools)
ENGINE=${IMAGES_ENGINE:-auto}
PREFIX=${IMAGES_PREFIX:-gpt-trader}
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
TAG=${IMAGES_TAG:-$VERSION}
BASE_IMAGE=${BASE_IMAGE:-python:3.11-slim}
BUILD_IMAGE=${BUILD_IMAGE:-$BASE_IMAGE}

answers() {
  case $1 in
    docker) docker info ;;
    podman) podman info ;;
    buildah) buildah images ;;
    *) echo "IMAGES_ENGINE=$1: docker, podman, buildah or auto" >&2; exit 2 ;;
  esac > /dev/null 2>&1
}

if [ "$ENGINE" = auto ]; then
  for one in docker podman buildah; do if answers $one; then ENGINE=$one; break; fi; done
  if [ "$ENGINE" = auto ]; then
    echo "images: no container engine answers (tried docker info, podman info, buildah images)." >&2
    echo "Install Docker, or Debian's podman, or name one: IMAGES_ENGINE=podman make images" >&2
    exit 1
  fi
elif ! answers "$ENGINE"; then
  echo "images: $ENGINE does not answer; start it, or choose another: IMAGES_ENGINE=auto make images" >&2
  exit 1
fi

# the time of the last commit stands in for the time of the build: the same sources give the same image
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
REVISION=$(git rev-parse HEAD)
case $ENGINE in
  docker) BUILD=(docker build) ;;
  # docker's format, because an OCI image has no health check
  podman) BUILD=(podman build --format docker --timestamp "$SOURCE_DATE_EPOCH") ;;
  buildah) BUILD=(buildah build --format docker --layers --timestamp "$SOURCE_DATE_EPOCH") ;;
esac

SERVICES=("${@:-${ALL[@]}}")
COUNT=0
for SERVICE in "${SERVICES[@]}"; do
  COUNT=$((COUNT + 1))
  MEMBER=$SERVICE WITH="" SOURCES=one
  case $SERVICE in
    tools) MEMBER=console ;;
    lab) WITH="strategy risk-gate executor learning" SOURCES=all ;;  # it runs what they decide
  esac
  NAME=$PREFIX/$SERVICE:$TAG
  STARTED=$SECONDS
  echo "[$COUNT/${#SERVICES[@]}] $NAME with $ENGINE on $BASE_IMAGE ..."
  # shellcheck disable=SC2086 - IMAGES_ARGS holds several words
  "${BUILD[@]}" --quiet --file deploy/docker/Dockerfile --tag "$NAME" \
    --build-arg SERVICE="$SERVICE" --build-arg MEMBER="$MEMBER" --build-arg WITH="$WITH" --build-arg SOURCES=$SOURCES \
    --build-arg BASE_IMAGE="$BASE_IMAGE" --build-arg BUILD_IMAGE="$BUILD_IMAGE" \
    --build-arg VERSION="$VERSION" --build-arg REVISION="$REVISION" --build-arg SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
    ${IMAGES_ARGS:-} . > /dev/null
  echo "      built in $((SECONDS - STARTED)) s"
done
echo "images: ${#SERVICES[@]} built; try them with: make test ARGS=tests/images"
