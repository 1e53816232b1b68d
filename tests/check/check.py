"""muster check from outside: what it prints, its exit codes, and its schema in others' hands.

usage: check.py MUSTER EXAMPLES

Each function case_… is a test; ends with `N passed, N failed`.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import traceback

import jsonschema
import yaml

MUSTER, EXAMPLES = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
WRONG = "services:\n  a:\n    comand: x\n    command: x\n    restart: alway\n"


def check(*arguments, cwd=None):
    return subprocess.run([MUSTER, "check", *map(str, arguments)], capture_output=True, text=True, timeout=30, cwd=cwd)


def schema():
    return json.loads(check("--schema").stdout)


def case_examples(folder):
    files = [path for name in ("muster.yaml", "services.toml", "config.yaml") for path in EXAMPLES.rglob(name)]
    files = [path for path in files if "node_modules" not in path.parts]
    assert len(files) >= 4, files
    for path in files:
        done = check(path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "0 errors, 0 warnings" in done.stdout, done.stdout


def case_mistakes(folder):
    (folder / "muster.yaml").write_text(WRONG)
    done = check("muster.yaml", cwd=folder)
    assert done.returncode == 2, done
    assert done.stdout == (
        "muster.yaml:3:5: unknown field 'comand': did you mean `command`?\n"
        "    3 |     comand: x\n"
        "      |     ^\n"
        "muster.yaml:5:14: 'alway' is none of never, on-failure, always: did you mean `always`?\n"
        "    5 |     restart: alway\n"
        "      |              ^\n"
        "2 errors, 0 warnings\n"
    ), done.stdout


def case_json(folder):
    (folder / "muster.yaml").write_text(WRONG)
    done = check("--json", cwd=folder)
    answer = json.loads(done.stdout)
    assert done.returncode == 2 and answer["valid"] is False, answer
    assert [(p["line"], p["column"], p["path"]) for p in answer["problems"]] == [
        (3, 5, "services.a.comand"),
        (5, 14, "services.a.restart.policy"),
    ], answer
    assert answer["problems"][0]["severity"] == "PROBLEM_SEVERITY_ERROR", answer
    (folder / "muster.yaml").write_text("services: {a: {command: x}}")
    done = check("--json", cwd=folder)
    assert done.returncode == 0 and json.loads(done.stdout)["valid"] is True, done


def case_found_above(folder):
    (folder / "configs").mkdir()
    (folder / "configs" / "services.toml").write_text('[[services]]\nshort_name = "a"\ncommand = ["x"]\n')
    (folder / "deep" / "down").mkdir(parents=True)
    done = check(cwd=folder / "deep" / "down")
    assert done.returncode == 0 and "1 service, 0 errors" in done.stdout, done
    values = check("--values", cwd=folder / "deep").stdout
    assert f'services.a.working_dir = "{folder}"  (default)' in values, values


def case_several_files(folder):
    (folder / "one.yaml").write_text("services: {a: {command: x}}")
    (folder / "two.yaml").write_text("services: {a: {replicas: 3}}")
    done = check("-f", "one.yaml", "-f", "two.yaml", "--values", cwd=folder)
    assert "services.a.replicas = 3  (two.yaml:1:26)" in done.stdout, done.stdout


def case_secrets_stay_hidden(folder):
    (folder / "muster.yaml").write_text("services: {a: {command: [x, hunter22], secrets: {KEY: hunter22}}}")
    done = check("--values", cwd=folder)
    assert done.returncode == 0 and "hunter22" not in done.stdout, done.stdout
    assert 'services.a.env.KEY = "***"' in done.stdout, done.stdout


def case_usage(folder):
    done = check(cwd=folder)
    if done.returncode != 0:  # no project in any folder above
        assert done.returncode == 2 and done.stderr.startswith("muster: no project here: "), done
    assert check("--nonsense").returncode == 2
    assert check("missing.yaml", cwd=folder).returncode == 2
    assert check("--help").returncode == 0


def case_schema(folder):
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema())
    project = validator(schema())
    for path in EXAMPLES.rglob("*.yaml"):
        if path.name in ("muster.yaml", "config.yaml") and "node_modules" not in path.parts:
            project.validate(yaml.safe_load(path.read_text()))
    assert not project.is_valid(yaml.safe_load(WRONG))
    assert not project.is_valid({"services": {"a": {"command": "x", "replicas": 0}}})
    assert not project.is_valid({"servics": {}})


def main():
    passed = failed = 0
    for name, case in list(globals().items()):
        if not name.startswith("case_"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                case(pathlib.Path(folder).resolve())
                passed += 1
            except Exception:
                failed += 1
                print(f"{name}:")
                traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed")


main()
