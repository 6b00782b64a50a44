# Apportion's image. docs/install-containers.md tells how to build and run it.
#
# Both are there for amd64 and s390x. The tag of the second moves with Debian's security updates; for builds that can be
# repeated name it by its digest: --build-arg BASE=gcr.io/distroless/base-nossl-debian12@sha256:...
ARG JDK=docker.io/library/eclipse-temurin:25.0.3_9-jdk-noble
ARG BASE=gcr.io/distroless/base-nossl-debian12:nonroot

# The jar is the same for each architecture, so it is built on that of the machine that builds.
FROM --platform=$BUILDPLATFORM ${JDK} AS build
# For the Maven wrapper, which checks the sum of a zip file.
RUN apt-get update && apt-get install --yes --no-install-recommends unzip && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY .mvn .mvn
COPY mvnw pom.xml ./
COPY src/main src/main
# Its tests are CI's.
RUN --mount=type=cache,id=apportion-m2,target=/root/.m2 \
    ./mvnw --batch-mode -Dmaven.test.skip=true -Dformat.phase=none package \
    && cp target/apportion-*.jar apportion.jar \
    && java -Djarmode=tools -jar apportion.jar extract --layers --destination layers

# Everything from here on is made on the architecture on which it will run: jlink takes the runtime from the JDK that runs
# it, and an AOT cache is good for the very virtual machine, jars and paths that it was trained with.
FROM ${JDK} AS made
COPY --from=build /build/layers/dependencies/ /opt/apportion/
COPY --from=build /build/layers/application/ /opt/apportion/
# Exactly the modules that the program and its libraries refer to.
RUN modules="$(cd /opt/apportion && jdeps --ignore-missing-deps --multi-release 25 --print-module-deps \
        --class-path 'apportion.jar:lib/*' -include '.*')" \
    && echo "modules: $modules" \
    && jlink --add-modules "$modules" --no-header-files --no-man-pages --generate-cds-archive --output /opt/jre
COPY packaging/image/application.yaml /opt/apportion/config/
COPY packaging/image/java/ /opt/apportion/java/
COPY packaging/image/Train.java src/test/resources/kernel/sysfs-tree.txt /train/
RUN java /train/Train.java /train/sysfs-tree.txt && mkdir -p /var/lib/apportion

# No shell, no package manager: a C library, time zones, names.
FROM ${BASE}
ARG BASE
ARG VERSION=0.1.0-SNAPSHOT
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Apportion" \
      org.opencontainers.image.description="Shares the cryptographic adapters of IBM Z hosts among guests" \
      org.opencontainers.image.vendor="Apportion" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
# What changes most rarely comes first.
COPY --from=made /opt/jre/ /opt/jre/
COPY --from=build /build/layers/dependencies/ /opt/apportion/
COPY packaging/image/application.yaml /opt/apportion/config/
COPY packaging/image/java/ /opt/apportion/java/
COPY packaging/image/bin/ /opt/apportion/bin/
COPY --from=made --chown=10001:10001 /var/lib/apportion/ /var/lib/apportion/
COPY --from=build /build/layers/application/ /opt/apportion/
COPY --from=made /opt/apportion/server.aot /opt/apportion/agent.aot /opt/apportion/

ENV PATH=/opt/apportion/bin:/opt/jre/bin \
    LANG=C.UTF-8 \
    SPRING_CONFIG_ADDITIONAL_LOCATION=optional:file:/opt/apportion/config/,optional:file:/etc/apportion/
# The agent has to be root: its DaemonSet, or --user 0, says so.
USER 10001:10001
WORKDIR /var/lib/apportion
VOLUME /var/lib/apportion
EXPOSE 8080 8081
# Whoever restarts what is not healthy must not do so for a database that is away: a restart brings none back.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["health", "http://127.0.0.1:8081/actuator/health/liveness"]
# The first word is a file of /opt/apportion/bin, and that file's interpreter is Java: nothing else has to choose.
ENTRYPOINT []
CMD ["server"]
