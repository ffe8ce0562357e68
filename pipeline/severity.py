"""The severity of an event for an administrator: by its payload, else by its type, else by its type's name.

vCenter events of most classes have no severity. The table follows the categories of vCenter's own catalogue
(`EventDescription.eventInfo`). A severity that comes from a name only is marked as inferred.
"""

import re
from collections.abc import Mapping
from typing import Any

from pipeline import status_events

ERROR, WARNING, INFO = "error", "warning", "info"
INFERRED = "?"
"""The suffix of a severity that was inferred from the name of a type that is in no table."""

_STATED = {
    "error": ERROR, "critical": ERROR, "alert": ERROR, "emergency": ERROR, "fatal": ERROR,
    "warning": WARNING, "warn": WARNING,
    "info": INFO, "information": INFO, "informational": INFO, "notice": INFO, "debug": INFO, "user": INFO,
    "normal": INFO,
}  # fmt: skip
_ALARM_COLOURS = {"red": ERROR, "yellow": WARNING, "green": INFO, "gray": INFO}

_ERRORS = """
    AlarmEmailFailed AlarmScriptFailed AlarmSnmpFailed BadUsernameSession DasAdmissionControlDisabled
    DasClusterIsolated DasHostFailed DrsInvocationFailed DrsResourceConfigureFailed
    DuplicateIpDetected DvsHealthStatusChange DvsHostWentOutOfSync ErrorUpgrade ExitStandbyModeFailed
    DrsExitStandbyModeFailed GeneralHostError GeneralVmError HostAddFailed HostCnxFailed
    HostCnxFailedAccountFailed HostCnxFailedAlreadyManaged HostCnxFailedBadCcagent HostCnxFailedBadUsername
    HostCnxFailedBadVersion HostCnxFailedCcagentUpgrade HostCnxFailedNetworkError HostCnxFailedNoAccess
    HostCnxFailedNoConnection HostCnxFailedNoLicense HostCnxFailedNotFound HostCnxFailedTimeout HostConnectionLost
    HostDasError HostEnableAdminFailed HostLicenseExpired HostNonCompliant HostReconnectionFailed HostSyncFailed
    HostUpgradeFailed InsufficientFailoverResources InvalidEdition LicenseExpired LicenseNonCompliance
    MigrationError MigrationHostError MigrationResourceError NoAccessUser NoDatastoresConfigured NoLicense
    NotEnoughResourcesToStartVm ScheduledTaskEmailFailed ScheduledTaskFailed ServerLicenseExpired
    TaskTimeout TemplateUpgradeFailed TimedOutHostOperation VMotionLicenseExpired VcAgentUninstallFailed
    VcAgentUpgradeFailed VmCloneFailed VmConfigMissing VmDasResetFailed VmDasUpdateError VmDeployFailed
    VmDisconnected VmDiskFailed VmFailedMigrate VmFailedRelayout VmFailedRelayoutOnVmfs2Datastore
    VmFailedStartingSecondary VmFailedToPowerOff VmFailedToPowerOn VmFailedToRebootGuest VmFailedToReset
    VmFailedToShutdownGuest VmFailedToStandbyGuest VmFailedToSuspend
    VmInstanceUuidConflict VmMacConflict VmMessageError VmNoCompatibleHostForSecondary VmNoNetworkAccess VmOrphaned
    VmRelocateFailed VmReloadFromPathFailed VmStaticMacConflict VmTimedoutStartingSecondary VmUpgradeFailed
    VmUuidConflict VmWwnConflict iScsiBootFailure
"""
_WARNINGS = """
    AdminPasswordNotChanged AlarmRemoved ClusterDestroyed ClusterOvercommitted DVPortgroupDestroyed
    DasDisabled DatastoreDestroyed DatastoreRemovedOnHost DrsDisabled DrsRuleViolation
    DrsSoftRuleViolation DvsDestroyed DvsPortLinkDown DvsPortBlocked EnteringMaintenanceMode EnteredMaintenanceMode
    GeneralHostWarning GeneralVmWarning GhostDvsProxySwitchDetected HostDasDisabled HostDisconnected
    HostGetShortNameFailed HostInAuditMode HostIpInconsistent HostIpToShortNameFailed HostIsolationIpPingFailed
    HostMissingNetworks HostNoAvailableNetworks HostNoHAEnabledPortGroups HostNoRedundantManagementNetwork
    HostNotInCluster HostOvercommitted HostPrimaryAgentNotShortName HostRemoved HostShortNameInconsistent
    HostShortNameToIpFailed HostShutdown HostUserWorldSwapNotEnabled HostWwnConflict LockerMisconfigured
    MigrationHostWarning MigrationResourceWarning MigrationWarning MtuMismatch NetworkRollback ResourcePoolDestroyed
    ResourceViolated TeamingMisMatch UplinkPortMtuNotSupport VmDasBeingResetWithScreenshot VmDasBeingReset
    VmMessageWarning VmPowerOffOnIsolation
    VmPrimaryFailover VmRemoved VmResetting VmRestartedOnAlternateHost VmSecondaryDisabled
    VmSecondaryDisabledBySystem VmShutdownOnIsolation WarningUpgrade
"""
_INFOS = """
    AccountCreated AccountRemoved AccountUpdated AlarmAcknowledged AlarmActionTriggered AlarmCleared AlarmCreated
    AlarmReconfigured AlreadyAuthenticatedSession ClusterCreated ClusterReconfigured CustomFieldDefAdded
    CustomFieldDefRemoved CustomFieldDefRenamed CustomFieldValueChanged DVPortgroupCreated
    DVPortgroupReconfigured DVPortgroupRenamed DasEnabled DatacenterCreated DatacenterRenamed
    DatastoreCapacityIncreased DatastoreDiscovered DatastoreFileCopied DatastoreFileDeleted DatastoreFileMoved
    DatastoreRenamed DrsEnabled DrsVmMigrated DrsVmPoweredOn DvsCreated DvsPortConnected DvsPortCreated
    DvsPortDeleted DvsPortDisconnected DvsPortLinkUp DvsReconfigured ExitMaintenanceMode ExitedStandbyMode
    GeneralUser GlobalMessageChanged HostAdded HostConnected HostVnicConnectedToCustomizedDVPort
    LicenseServerAvailable LocalTSMEnabled NASDatastoreCreated PermissionAdded PermissionRemoved PermissionUpdated
    ProfileCreated ProfileRemoved RemoteTSMEnabled ResourcePoolCreated ResourcePoolMoved ResourcePoolReconfigured
    RoleAdded RoleRemoved RoleUpdated ScheduledTaskCompleted ScheduledTaskCreated ScheduledTaskStarted
    ServerStartedSession SessionTerminated Task UserLoginSession UserLogoutSession UserUpgrade
    VMFSDatastoreCreated VMFSDatastoreExpanded VMFSDatastoreExtended VmAcquiredMksTicket VmAcquiredTicket
    VmAutoRename VmBeingCloned VmBeingCreated VmBeingDeployed VmBeingHotMigrated VmBeingMigrated VmBeingRelocated
    VmCloned VmConnected VmCreated VmDateRolledBack VmDeployed VmDiscovered VmEmigrating VmGuestReboot
    VmGuestShutdown VmGuestStandby VmMacAssigned VmMacChanged VmMigrated VmPoweredOff
    VmPoweredOn VmReconfigured VmRegistered VmReloadFromPath VmRelocated VmRemoteConsoleConnected
    VmRemoteConsoleDisconnected VmRenamed VmResourcePoolMoved VmResourceReallocated VmResuming VmStarting VmStopping
    VmSuspended VmSuspending VmUpgradeComplete VmUpgrading VmUuidAssigned VmUuidChanged
"""
_TABLE = {
    name: severity
    for names, severity in ((_ERRORS, ERROR), (_WARNINGS, WARNING), (_INFOS, INFO))
    for name in names.split()
}

_OURS = {
    status_events.status_type(occurrence, reporter): severity
    for occurrence, severity in (
        ("unreachable", ERROR),
        ("undeliverable", ERROR),
        ("gap", WARNING),
        ("recovered", INFO),
    )
    for reporter in status_events.REPORTERS
}
_CLASS = re.compile(r"^com\.vmware\.vsphere\.|\.v\d+$")
_SOUNDS_WRONG = re.compile(
    r"fail|error|lost\b|corrupt|denied|unable|cannot|critical|fatal|panic|isolated|unreachable|timed ?out|expired|"
    r"all\.?paths\.?down|\.down\b",
    re.IGNORECASE,
)
_SOUNDS_RIGHT = re.compile(r"clear|recover|restored|success|resolved|\.up\b|\.ok\b", re.IGNORECASE)
_SOUNDS_ODD = re.compile(
    r"warn|problem|degraded|conflict|violat|exceed|missing|disconnect|latency|full\b|mismatch", re.IGNORECASE
)


def of(event_type: str, properties: Mapping[str, Any]) -> str:
    """Return `error`, `warning` or `info`, followed by "?" if only the type's name suggests it.

    *properties* is the payload in PascalCase, as `pipeline.payload.fields` returns it.
    """
    return _stated(properties) or _known(event_type) or _suggested(event_type) + INFERRED


def _stated(properties: Mapping[str, Any]) -> str | None:
    for name in ("Severity", "severity", "level"):
        stated = properties.get(name)
        if isinstance(stated, str) and stated.lower() in _STATED:
            return _STATED[stated.lower()]
    colour = properties.get("To")
    if "Alarm" in properties and isinstance(colour, str):
        return _ALARM_COLOURS.get(colour.lower())
    if properties.get("kind") == "Event" and isinstance(properties.get("type"), str):  # Kubernetes: Normal, Warning
        return _STATED.get(properties["type"].lower())
    return None


def _known(event_type: str) -> str | None:
    if event_type in _OURS:
        return _OURS[event_type]
    if event_type == "dev.knative.sources.ping" or event_type.startswith("dev.knative.apiserver."):
        return INFO
    return _TABLE.get(_CLASS.sub("", event_type).removesuffix("Event"))


def _suggested(event_type: str) -> str:
    name = _CLASS.sub("", event_type)
    if _SOUNDS_RIGHT.search(name):
        return INFO
    if _SOUNDS_WRONG.search(name):
        return ERROR
    return WARNING if _SOUNDS_ODD.search(name) else INFO
