import banhook_plugin
from banhook_plugin import skip
from wit_world.imports import settings

OFFICE = settings.get("office")


class Formatter(banhook_plugin.Formatter):
    def format(self, event):
        return skip(OFFICE)
