"""The repair tasks hold tests of their own, which are no tests of ours."""

collect_ignore_glob = ["repair_tasks/*"]
