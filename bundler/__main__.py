"""``python -m bundler`` is the command ``airbundle``."""

from bundler.cli.main import run

if __name__ == "__main__":
    run()
