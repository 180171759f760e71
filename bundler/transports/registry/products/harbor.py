"""Harbor: ``PROJECT/REPOSITORY``, where the project must exist before anything is pushed into it."""

from __future__ import annotations

from bundler.transports.registry.products.refusals import Explanation, Refusal

_RIGHTS = (
    "Log in as a user or robot that may push into this project; the `$` of a name such as robot$ci must be quoted "
    "in shells."
)


def explain(refusal: Refusal) -> Explanation | None:
    """Explain what Harbor refused."""
    if len(refusal.parts) == 1:
        return Explanation(
            f"names have the form PROJECT/REPOSITORY there, and {refusal.repository} has no project",
            "Push to REGISTRY/PROJECT, or keep the first parts of the names.",
        )
    project = refusal.first
    if refusal.status == 403:
        return _forbidden(refusal, project)
    if refusal.status == 412:
        return _condition(refusal, project)
    if not refusal.is_about_rights or (refusal.status == 404 and refusal.project_exists):
        return None
    if refusal.project_exists is False or refusal.says(f"project {project} not found"):
        return missing_project(refusal.repository)
    known = "exists, and" if refusal.project_exists else "does not exist, or"
    what = "put images into it" if refusal.writing else "read from it"
    return Explanation(
        f"of {refusal.repository} the first part is the project; {project} {known} this account may not {what}",
        _RIGHTS if refusal.writing else "Log in as a user or robot that may pull from this project.",
    )


def missing_project(repository: str) -> Explanation:
    """Explain that the project of a repository has to be made first."""
    project = repository.partition("/")[0]
    return Explanation(
        f"of {repository} the first part is the project, and there is no project {project}",
        f"Have the project {project} created, give --create-projects, or push to REGISTRY/PROJECT of another.",
    )


def _forbidden(refusal: Refusal, project: str) -> Explanation:
    if refusal.says("quota", "configured upper limit"):
        return Explanation(
            f"the storage quota of the project {project} does not hold this image",
            f"Have the quota of {project} raised, or images deleted there and garbage collected; then run again.",
        )
    if refusal.says("read only", "read-only"):
        return Explanation(
            "the whole registry is read-only at the moment, as during maintenance or garbage collection",
            "Run the same command again when its administrator has ended that.",
        )
    return Explanation(f"this account has no right for that in the project {project}", _RIGHTS)


def _condition(refusal: Refusal, project: str) -> Explanation:
    if refusal.says("immutable"):
        return Explanation(
            f"a rule of the project {project} makes the tag {refusal.tag} immutable; it stands for another image",
            "Push under another tag, keep what is there with --on-existing-tag skip, or have the rule changed.",
        )
    return Explanation(
        f"a policy of the project {project} forbids it, such as one about vulnerabilities or signatures",
        f"See the policies of the project {project}.",
    )
