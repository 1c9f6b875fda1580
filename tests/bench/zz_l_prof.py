import asyncio, cProfile, pstats, uvloop
from tests.bench import bench_claude as b
def test_prof(settings):
    async def go():
        async with b.opened(settings) as s:
            for i in range(300): await s.claude.ask(b._ask(f"w{i}"), caching=b.CACHING)
            pr=cProfile.Profile(time=__import__("time").thread_time if False else __import__("time").process_time); pr.enable()
            for i in range(1500):
                await s.claude.ask(b._ask(f"x{i}"), caching=b.CACHING); await asyncio.sleep(0)
            pr.disable()
            st=pstats.Stats(pr)
            st.sort_stats("tottime").print_stats(25)
            st.sort_stats("tottime").print_stats("core/", 60)
            st.sort_stats("cumtime").print_stats("core/(cache|claude/(claude|ans|led|bud|writ|kept|outc|costs|sched))", 75)
    uvloop.run(go())
