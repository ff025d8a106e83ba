import banhook_plugin
from banhook_plugin import skip


class Formatter(banhook_plugin.Formatter):
    def fromat(self, event):
        return skip("nobody asks this method")
