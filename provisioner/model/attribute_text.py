"""
Lives and settings as the words of JSON, and back: the one spelling for state and plan.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from provisioner.cache import Json
from provisioner.model.attributes import After, Life, Settings, Ttl, Until
from provisioner.times import duration_text, moment_text, parse_duration, parse_moment


def life_words(life: Life) -> dict[str, Json]:
    match life:
        case Ttl(span):
            return {"ttl": duration_text(span)}
        case Until(moment):
            return {"expires_at": moment_text(moment)}


def parse_life(json: Json) -> Life:
    """Read what `life_words` wrote.  Raises ValueError if it is anything else."""
    match json:
        case {"ttl": str(span)}:
            return Ttl(parse_duration(span))
        case {"expires_at": str(moment)}:
            return Until(parse_moment(moment))
        case _:
            raise ValueError("a life is a ttl or an expires_at")


def settings_words(settings: Settings) -> dict[str, Json]:
    return {
        "keep": settings.keep,
        "protect": settings.protect,
        "refresh_before": window_text(settings.refresh_before),
        "retire_after": duration_text(settings.retire_after),
    }


def parse_settings(json: Json) -> Settings:
    """Read what `settings_words` wrote.  Raises ValueError if it is anything else."""
    match json:
        case {
            "keep": "warm" | "once" as keep,
            "protect": bool(protect),
            "refresh_before": str(window),
            "retire_after": str(retire_after),
        }:
            return Settings(
                keep=keep,
                protect=protect,
                refresh_before=parse_window(window),
                retire_after=parse_duration(retire_after),
            )
        case _:
            raise ValueError("settings are keep, protect, refresh_before and retire_after")


def after_words(after: After) -> dict[str, Json]:
    """What an entry asks for, in a fixed order."""
    return {
        "provider": after.provider,
        "model": after.model,
        "digest": after.digest,
        "life": life_words(after.life),
        "settings": settings_words(after.settings) if after.settings else None,
    }


def parse_after(json: Json) -> After:
    """Read what `after_words` wrote.  Raises ValueError if it is anything else."""
    match json:
        case {
            "provider": str(provider),
            "model": str(model),
            "digest": str(digest),
            "life": life,
            "settings": settings,
        }:
            return After(
                provider=provider,
                model=model,
                digest=digest,
                life=parse_life(life),
                settings=None if settings is None else parse_settings(settings),
            )
        case _:
            raise ValueError("an after is provider, model, digest, life and settings")


def window_text(window: timedelta | Fraction) -> str:
    """A duration, a percentage, or a fraction if it is no whole percentage."""
    match window:
        case timedelta():
            return duration_text(window)
        case share if (share * 100).denominator == 1:
            return f"{share * 100}%"
        case share:
            return str(share)


def parse_window(text: str) -> timedelta | Fraction:
    """Read a duration, `25%` or `1/3`.  Raises ValueError if it is anything else."""
    if text.endswith("%"):
        share = Fraction(int(text.removesuffix("%")), 100)
    elif "/" in text:
        share = _fraction(text)
    else:
        return parse_duration(text)
    if not 0 < share < 1:
        raise ValueError("a share lies between 1% and 99%")
    return share


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError("a share is not divided by 0") from error
