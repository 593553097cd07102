"""Rows for tests, with the few things a test cares about named and everything else plausible."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from worklist import clock
from worklist.dicom.name_words import turns
from worklist.tables import (
    Analysis,
    AnalysisState,
    Attention,
    BodyPart,
    Calibration,
    ClassifierState,
    ClassifierVersion,
    ClinicalPriority,
    Instance,
    OperatingPoint,
    ReadingState,
    Result,
    Role,
    Scope,
    Series,
    Study,
    StudyName,
    User,
)
from worklist.triage.policy import current_policy
from worklist.triage.ranking import due_key, rank_key

_numbers = count(1)
IN_CHARGE = (ClassifierState.CHAMPION, ClassifierState.RETIRED)
DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def make_study(
    session: Session,
    *,
    probability: float | None = None,
    waiting_minutes: float = 0,
    images: int = 1,
    **values: Any,
) -> Study:
    """Add a study with its series and images; with a probability it counts as analysed."""
    number = next(_numbers)
    received_at = clock.now() - timedelta(minutes=waiting_minutes)
    priority = values.get("clinical_priority", ClinicalPriority.ROUTINE)
    defaults: Mapping[str, Any] = {
        "study_instance_uid": f"1.2.826.0.1.3680043.8.498.{number}",
        "patient_id": f"SYN-{number:06}",
        "patient_name": "SYNTHETIC^Rita",
        "patient_name_folded": "SYNTHETIC^RITA",
        "birth_date": "19700101",
        "sex": "F",
        "accession_number": f"ACC{number}",
        "description": "Wrist right",
        "body_part": BodyPart.WRIST,
        "scope": Scope.IN,
        "received_at": received_at,
        "last_received_at": received_at,
        "content_version": images,
        "is_complete": True,
        "study_probability": probability,
        "result": Result.WAITING if probability is None else Result.SCORED,
        "result_version": 0 if probability is None else 1,
        "rank_key": rank_key(received_at, probability, priority, policy=current_policy(session)),
        "due_key": due_key(values.get("received_at", received_at), priority, policy=current_policy(session)),
        "reading_state": ReadingState.UNREAD,
        "is_open": True,
    }
    study = Study(**{**defaults, **values})
    series = Series(study=study, series_instance_uid=f"{study.study_instance_uid}.1", modality="DX")
    session.add_all([study, series])
    session.flush()
    session.add_all(StudyName(study_id=study.id, words=each) for each in turns(study.patient_name_folded))
    for _ in range(images):
        make_instance(session, series, needs_analysis=study.result == Result.WAITING)
    return study


def make_instance(session: Session, series: Series, **values: Any) -> Instance:
    """Add one image of a series; there is no file behind it unless ``file_path`` names one."""
    number = next(_numbers)
    defaults: Mapping[str, Any] = {
        "sop_instance_uid": f"1.2.826.0.1.3680043.8.498.9.{number}",
        "sop_class_uid": DIGITAL_X_RAY,
        "transfer_syntax_uid": EXPLICIT_LITTLE_ENDIAN,
        "file_path": f"none/{number}.dcm",
        "file_bytes": 1000,
        "sha256": f"{number:064x}",
        "received_at": clock.now(),
        "rows": 2500,
        "columns": 2000,
        "view_position": "PA",
        "laterality": "R",
        "needs_analysis": True,
    }
    instance = Instance(series_id=series.id, **{**defaults, **values})
    session.add(instance)
    session.flush()
    return instance


def make_classifier(session: Session, *, threshold: float = 0.6, **values: Any) -> ClassifierVersion:
    """Add the classifier version in charge, with the same operating points for every body part."""
    defaults: Mapping[str, Any] = {
        "name": f"test-{next(_numbers)}",
        "state": ClassifierState.CHAMPION,
        "weights_path": "none",
        "weights_sha256": "0" * 64,
        "input_size_px": 32,
        "is_demo": False,
        "card": {},
        "registered_at": clock.now(),
        "registered_by": "adam",
        "promoted_at": clock.now() if values.get("state") in (None, *IN_CHARGE) else None,
        "calibrations": [Calibration(body_part=part, slope=1.0, intercept=0.0) for part in BodyPart],
        "operating_points": [
            OperatingPoint(body_part=part, attention=name, threshold=value)
            for part in BodyPart
            for name, value in ((Attention.FLAGGED, threshold), (Attention.LOOK_CLOSER, threshold / 2))
        ],
    }
    version = ClassifierVersion(**{**defaults, **values})
    session.add(version)
    session.flush()
    return version


def make_analysis(session: Session, instance: Instance, version: ClassifierVersion, **values: Any) -> Analysis:
    """Add a finished analysis with a 7 × 7 heat map over the whole image."""
    heat_map = np.zeros((7, 7), "<f2")
    heat_map[3, 4] = 1
    defaults: Mapping[str, Any] = {
        "preprocessing_version": 1,
        "state": AnalysisState.DONE,
        "started_at": clock.now(),
        "finished_at": clock.now(),
        "logit": 1.5,
        "probability": 0.82,
        "crop_top": 0,
        "crop_left": 0,
        "crop_height": 2500,
        "crop_width": 2000,
        "explained_class": "abnormal",
        "heat_map": heat_map.tobytes(),
        "heat_map_rows": 7,
        "heat_map_columns": 7,
    }
    analysis = Analysis(instance_id=instance.id, classifier_version_id=version.id, **{**defaults, **values})
    session.add(analysis)
    instance.needs_analysis = False
    session.flush()
    return analysis


def make_user(session: Session, username: str = "rita", role: Role = Role.READER, **values: Any) -> User:
    """Add an account; its password cannot be entered unless ``password_hash`` is given."""
    defaults: Mapping[str, Any] = {
        "display_name": username.capitalize(),
        "password_hash": "!",
        "must_change_password": False,
        "created_at": clock.now(),
    }
    user = User(username=username, role=role, **{**defaults, **values})
    session.add(user)
    session.flush()
    return user
