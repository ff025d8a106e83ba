import banhook_plugin
from banhook_plugin import skip


class Formatter(banhook_plugin.Formatter):
    def format(self, event):
        if event.jail == "sshd"
            return skip("a colon is missing")
        return skip("all others")
