"""Studies: one network, trained under several conditions with several seeds, and what is to be said of them."""

from layerwise.demo.study.answers import Answer, answer
from layerwise.demo.study.every import StudyMade, study_in_folder
from layerwise.demo.study.plan import Condition, Study

__all__ = ["Answer", "Condition", "Study", "StudyMade", "answer", "study_in_folder"]
