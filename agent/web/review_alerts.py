"""What waits for people's decisions, as alerts of the first page, and the alarms that decisions raised."""

from __future__ import annotations

from agent.store import check_ins, suspicions
from agent.store.database import Store
from agent.web.alerts import Alert
from agent.web.locale import Words
from agent.web.verdicts import strike_alerts, trust_alerts


def review_alerts(store: Store, words: Words) -> list[Alert]:
    """Alarms of R7, R15 and R6, then what is undecided. Looks at indexes of open things alone."""
    _ = words.gettext
    found = []
    for alarm in suspicions.alarms(store):
        text = _("%(title)s：已核实冒名顶替 %(count)d 人次，达到取消本班补贴的标准（R7）。")
        found.append(Alert("bad", text % {"title": alarm.title, "count": alarm.confirmed}))
    for title, count in suspicions.classes_with_confirmed_teachers(store):
        text = _("%(title)s：已核实 %(count)d 名教师未入师资库（R15）。")
        found.append(Alert("bad", text % {"title": title, "count": count}))
    found += strike_alerts(store, words)
    found += trust_alerts(store, words)
    if waiting := suspicions.open_count(store):
        found.append(Alert("warn", _("%(count)d 条疑点待核实，见“核实”。") % {"count": waiting}))
    if waiting := check_ins.awaiting_count(store):
        found.append(Alert("info", _("%(count)d 条密码签到待核实，见“核实”。") % {"count": waiting}))
    return found
