# `docker build -t ear_jax .` for CPUs. `--build-arg EXTRAS=cuda12` or `cuda13`: for NVIDIA GPUs; `build,slurm`: to build
# data sets and to run grids.
# `docker run --rm -v "$PWD:/here" ear_jax ear_jax.predict /here/STUDY --checkpoint ear3d-phantom --output /here/results`
ARG PYTHON=3.13
FROM python:${PYTHON}-slim
ARG EXTRAS=""

COPY pyproject.toml README.md LICENSE requirements.lock /source/
COPY ear_jax /source/ear_jax
# The versions of the lock, without its hashes: pip asks for all or none, and CUDA's libraries are not in it.
RUN grep -oE '^[A-Za-z0-9_.-]+==[^\\]+' /source/requirements.lock > /source/versions.txt \
  && pip install --no-cache-dir --constraint /source/versions.txt "/source${EXTRAS:+[$EXTRAS]}" \
  && rm -r /source

# Written by whoever `docker run --user` names.
ENV MPLCONFIGDIR=/tmp/matplotlib
COPY configs /project/configs
COPY data_builders /project/data_builders
WORKDIR /project
ENTRYPOINT ["python", "-m"]
CMD ["ear_jax.doctor"]
