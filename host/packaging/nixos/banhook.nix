# A module for NixOS: fail2ban with banhook's action, and the service. `services.banhook.package` is a package with the two
# programs and the action file, such as the archive of a release unpacked and patched by autoPatchelfHook.
{ config, lib, pkgs, ... }:

let
  cfg = config.services.banhook;
  settings = (pkgs.formats.toml { }).generate "banhook.toml" cfg.settings;
in
{
  options.services.banhook = {
    enable = lib.mkEnableOption "chat messages about what fail2ban does";

    package = lib.mkOption {
      type = lib.types.package;
      description = "The package with banhook and banhook-notify.";
    };

    urlFile = lib.mkOption {
      type = lib.types.path;
      example = "/run/secrets/banhook-url";
      description = ''
        The path of a file with the webhook's URL, as a string. The file must not be in the Nix store, which every user can
        read.
      '';
    };

    settings = lib.mkOption {
      type = lib.types.attrs;
      default = { webhooks.main.url_credential = "url"; };
      description = "The configuration, in the form of config.toml.";
    };
  };

  config = lib.mkIf cfg.enable {
    users.users.banhook = { isSystemUser = true; group = "banhook"; home = "/var/lib/banhook"; };
    users.groups.banhook = { };

    environment.systemPackages = [ cfg.package ];
    environment.etc."banhook/config.toml".source = settings;
    environment.etc."fail2ban/action.d/banhook.local".text = ''
      [Init]
      banhook = ${cfg.package}/bin/banhook-notify
      # The service delivers.
      options = --no-spawn
    '';
    environment.etc."fail2ban/action.d/banhook.conf".source = "${cfg.package}/share/banhook/action.d/banhook.conf";

    # fail2ban's service may write nothing and become nobody; banhook-notify has to do both.
    systemd.services.fail2ban.serviceConfig = {
      ReadWritePaths = [ "-/var/lib/banhook" ];
      CapabilityBoundingSet = [ "CAP_SETUID" "CAP_SETGID" ];
    };

    # The first line blocks the address.
    services.fail2ban.jails.DEFAULT.settings.action = "%(action_)s\n         banhook";

    # Asks fail2ban whether it runs, for routes with `quiet`.
    systemd.services.banhook-heartbeat = {
      description = "Asks fail2ban whether it runs";
      unitConfig.ConditionPathExists = "/var/lib/banhook/heartbeat";
      path = [ pkgs.fail2ban ];
      startAt = "*:0/5";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${cfg.package}/bin/banhook heartbeat";
        CapabilityBoundingSet = [ "CAP_SETUID" "CAP_SETGID" ];
        ReadWritePaths = [ "-/var/lib/banhook" ];
        ProtectSystem = "strict";
        ProtectHome = true;
        PrivateNetwork = true;
        NoNewPrivileges = true;
      };
    };

    systemd.services.banhook = {
      description = "Turns what fail2ban does into chat messages";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      before = [ "fail2ban.service" ];
      serviceConfig = {
        Type = "notify";
        ExecStart = "${cfg.package}/bin/banhook run";
        ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
        Restart = "always";
        RestartSec = 5;
        TimeoutStopSec = 10;
        WatchdogSec = "3min";
        WatchdogSignal = "SIGKILL";
        LimitCORE = 0;
        OOMPolicy = "continue";
        UMask = "0077";
        User = "banhook";
        StateDirectory = "banhook";
        StateDirectoryMode = "0700";
        LoadCredential = "url:${toString cfg.urlFile}";
        ProtectSystem = "strict";
        ProtectHome = true;
        PrivateTmp = true;
        PrivateDevices = true;
        NoNewPrivileges = true;
        RestrictAddressFamilies = [ "AF_UNIX" "AF_INET" "AF_INET6" ];
        CapabilityBoundingSet = "";
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectControlGroups = true;
        RestrictNamespaces = true;
        RestrictSUIDSGID = true;
        LockPersonality = true;
        SystemCallArchitectures = "native";
        SystemCallFilter = [ "@system-service" "~@privileged" ];
        SystemCallErrorNumber = "EPERM";
      };
    };
  };
}
