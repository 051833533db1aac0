"""verify.html is on record once for its digest, whoever starts it, and how many start at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from ledgers import ENTRY_KEY

from api.desk.verifier import NAME, publish_anew, published, sha256
from ledger.errors import EnrolledError
from ledger.ledger import LOCAL_OPERATOR, Ledger
from ledger.log.database import Database
from ledger.stewardship.declarations import publish_tool, tools


def publish_earlier(ledger: Ledger) -> int:
    return publish_tool(ledger, NAME, version="0.0.1+earlier", sha256="0" * 64, actor=LOCAL_OPERATOR).position


def test_a_server_of_a_newer_program_puts_its_verifier_on_record_once(ledger: Ledger) -> None:
    # Of one that never had any, `init` was not done yet.
    assert publish_anew(ledger, actor=LOCAL_OPERATOR) is None
    earlier = publish_earlier(ledger)
    receipt = publish_anew(ledger, actor=LOCAL_OPERATOR)
    assert receipt is not None
    assert receipt.position == earlier + 1
    assert publish_anew(ledger, actor=LOCAL_OPERATOR) is None
    told = published(ledger.database)
    assert told is not None
    assert (told.sha256, told.published_at) == (sha256(), receipt.position)


def test_of_several_servers_that_start_at_once_one_does(ledger: Ledger, database_url: str) -> None:
    publish_earlier(ledger)
    fronts = [Ledger.open(Database(database_url), ENTRY_KEY) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda front: publish_anew(front, actor=LOCAL_OPERATOR), fronts))
    assert sum(receipt is not None for receipt in receipts) == 1
    assert [tool.sha256 for tool in tools(ledger.database)] == ["0" * 64, sha256()]
    for front in fronts:
        front.close()


def test_two_programs_that_are_published_at_once_are_both_published(ledger: Ledger, database_url: str) -> None:
    fronts = [Ledger.open(Database(database_url), ENTRY_KEY) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        names = ["one.py", "other.py"]
        publishing = [
            pool.submit(publish_tool, front, name, version="1", sha256="1" * 64, actor=LOCAL_OPERATOR)
            for front, name in zip(fronts, names, strict=True)
        ]
    assert len({done.result().position for done in publishing}) == 2
    with pytest.raises(EnrolledError, match=r"one\.py 1 was published at position"):
        publish_tool(ledger, "one.py", version="1", sha256="2" * 64, actor=LOCAL_OPERATOR)
    for front in fronts:
        front.close()
