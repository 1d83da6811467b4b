package abuse

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// proofs say where each row of the attack list is proved: a test of the package that is named, or "rows", the tables of this
// package. Whoever renames a test finds this list by its test.
var proofs = map[string][]string{
	"A1":  {"test/abuse TestSECURITY_A1_SilentSocketsEndAtTheDeadlineAndCostLittle", "test/abuse TestSlow", "adapters/listen TestAttack_A1_IdleSockets", "adapters/listen TestPreauth_L4_Places"},
	"A2":  {"test/abuse TestSlow", "adapters/listen TestPreauth_L1_ProxyHeaderHandshakeAndUpgradeShareOneDeadline"},
	"A3":  {"rows", "test/abuse TestSECURITY_A3_WhatIsAnnouncedIsNotHeld", "adapters/listen TestDTLS_A3_RecordsThatAnnounceMoreThanTheyHold"},
	"A4a": {"rows", "adapters/listen TestWebSocketLengthBeyond63BitsIsTooBig"},
	"A4b": {"rows", "adapters/listen TestWebSocketUnmaskedFrameIsAProtocolError"},
	"A4c": {"rows", "adapters/listen TestAttack_A4c_EmptyFragmentsEndWithTheAllowance"},
	"A4d": {"rows", "adapters/listen TestWebSocketIsNoCompression"},
	"A4e": {"rows", "adapters/listen TestAttack_A4e_RefusedUpgradesAreCountedAndLogged"},
	"A5a": {"adapters/listen TestAttack_A5a_KeyUpdateFlood"},
	"A5b": {"adapters/listen TestAttack_A5b_Handshakes", "test/interop TestAttack_A5b_RenegotiationEndsTheConnection"},
	"A6a": {"adapters/listen TestAttack_A6a_BadHeadersAreClosed"},
	"A6b": {"adapters/listen TestAttack_A6b_HeadersFromElsewhere"},
	"A6c": {"adapters/listen TestAttack_A6c_NamesThatAreNone"},
	"A7a": {"rows"}, "A7b": {"rows"}, "A7c": {"rows"},
	"A8a": {"rows"}, "A8b": {"rows"}, "A8c": {"rows"}, "A8d": {"rows", "test/abuse TestSlow"},
	"A9a": {"test/abuse TestSECURITY_A9_BadTokensAreRefusedAlikeAndNothingIsFetched", "internal/auth TestSecurity_U14_A9_Tokens"},
	"A9b": {"test/abuse TestSECURITY_A9_BadTokensAreRefusedAlikeAndNothingIsFetched"},
	"A10": {"rows", "test/abuse TestSECURITY_A10_LoginsInCrowdsHashOneAfterTheOther", "test/credentials TestSecurity_U11_AStormOfWrongPasswordsBlocksNobody"},

	"P1a": {"rows", "test/scale TestEveryIdentifierOfAClientIsHeld"},
	"P1b": {"rows", "test/abuse TestSECURITY_P1b_DeepTopicsAreNotKept"},
	"P1c": {"test/abuse TestSECURITY_P1c_ManyFiltersOneCopy", "mqtt TestMQTT_MD3_OverlapEachMakesACopyEach"},
	"P1d": {"rows"}, "P1e": {"rows"}, "P1f": {"rows"}, "P1g": {"rows"}, "P1h": {"rows"}, "P1i": {"rows"}, "P1j": {"rows"},
	"P2":  {"rows", "test/abuse TestSECURITY_P2_EveryPacketInEveryState"},
	"P3":  {"rows"},
	"P4":  {"rows", "test/abuse TestSECURITY_P4_AliasesBelongToAConnection"},
	"P5":  {"rows", "test/scale TestEveryIdentifierOfAClientIsHeld", "test/interop TestMQTT_BridgeOfMosquittoAndKill9"},
	"P6":  {"rows", "test/abuse TestSECURITY_P6_LongFiltersAreFilters", "test/scale TestSubscribeStorm"},
	"P7":  {"rows", "test/abuse TestSECURITY_P7_NobodyWritesTheLog"},
	"P8":  {"test/scale TestSessionsOfClientsThatAreAwayAreBounded", "mqtt TestMQTT_MV11_ALongWillDelayIsCapped", "mqtt TestMQTT_MC18_TheGrantedExpiryIsTold"},
	"P9":  {"test/abuse TestStalled", "test/abuse TestSECURITY_P9_AReaderThatAcknowledgesNothingCostsItsQueue"},
	"P10": {"rows"},

	"E1":  {"test/abuse TestSECURITY_E1_ANameIsALevelAndNothingElse", "internal/acl TestSecurity_S5_PlaceholdersAreOneLiteralLevel"},
	"E2":  {"core TestSecurity_E2_DeniedTopicsBelowAGrantedFilterAreNeverDelivered", "test/credentials TestSecurity_E2_WhatIsDeniedInsideAFilterIsNotDeliveredByAnyProtocol"},
	"E3":  {"core TestSecurity_E3_AGroupsMessageGoesToAMemberThatMaySeeIt"},
	"E4":  {"core TestSecurity_Z7_QueuedBeforeARevokeIsNotDelivered", "core TestSecurity_Z7_WhatWasSentIsNotSentAgainAfterARevoke", "core TestSecurity_Z7_RetainedIsReplayedWithTheRightsOfNow"},
	"E5":  {"core TestSecurity_E5_AWillIsJudgedByWhoeverSetItAlsoAfterARestart", "internal/access TestSecurity_E5_AStoredPrincipalIsJudgedByTheUsersOfNow"},
	"E6":  {"mqtt TestSecurity_E6_AnAliasIsCheckedByItsNameEachTime", "mqttsn TestMQTTSN_R10_AnIDGrantsNothing"},
	"E7":  {"test/abuse TestSECURITY_E7_WhatIsDeniedIsDeniedByEveryWay", "test/credentials TestSecurity_E7_Z12_Z13_OneUserHasTheSameRightsByEveryProtocol"},
	"E8":  {"rows", "test/abuse TestSECURITY_E8_NamesOfTheGatewayAreNotSeenByWildcards", "core TestSecurity_E8_NamesOfTheGatewayAreNotPublishedTo"},
	"E9":  {"rows", "core TestNamespacesDoNotSeeEachOther", "test/credentials TestSecurity_2_2_TheVhostOfAMQPIsTheNamespace"},
	"E10": {"internal/access TestSecurity_S7_WhatCannotBeReadIsAnError", "internal/gateway TestReload_WhatCannotBeTakenChangesNothing", "internal/access TestSecurity_U5_WithUsersNothingIsImplied"},
	"E11": {"internal/access TestSecurity_U1_U3_E11_EvidenceOfTheTransport", "test/credentials TestSecurity_2_2_U1_E11_ACertificateIsAUser", "test/credentials TestSecurity_U3_E11_AListenerThatAsksForACertificate", "test/matrix TestSecurity_E11_WhoIsNoUserIsRefused"},
	"E12": {"test/abuse TestSECURITY_E12_AValueArrivesAsItIsOrNotAtAll", "coap TestSecurity_E12_WhatIsNotUTF8IsLeftOutOfTheEnvelope",
		"coap TestSecurity_E12_NoPropertyLooksLikeAReplyTopic", "stomp TestSecurity_E12_WhatAHeaderCannotHoldIsCounted", "amqp/exchange TestSecurity_E12_WhatAMQPCannotSayIsCounted"},

	"F1": {"test/credentials TestSecurity_S1_F1_F2_F5_ASessionIsItsOwners", "core TestAnotherPrincipalHasAnotherSession"},
	"F2": {"test/abuse TestSECURITY_F2_WrongPasswordsTouchNothing"},
	"F3": {"test/abuse TestSECURITY_F3_TakeoversByTheThousand", "test/scale TestTakeoverStorm", "mqtt TestMQTT_MT4_TakeoversAreSlowedDown"},
	"F4": {"internal/store/disk TestSECURITY_R4_WhatWasAcknowledgedSurvivesAPowerCut", "test/interop TestWhatWasAcknowledgedSurvivesKill9", "core TestDurableStateSurvivesARestart"},
	"F5": {"test/abuse TestSECURITY_F5_CleanStartsOfAnother", "core TestSecurity_F5_CleanStartsOfAnotherPrincipalAreItsOwnAffair"},
	"F6": {"test/abuse TestSECURITY_F6_K3d_ADeviceOfTheTableIsTakenOverFromItsOwnAddressAlone", "adapters/listen TestDTLS_F6_AConnectionIDOfAnotherMovesNothing", "coap TestCoAP_N4_UnknownConnectionTokenIsUnauthorized", "mqttsn TestMQTTSN_K12_OverDTLSOnlyTheSameIdentityMoves"},

	"K1":  {"test/abuse TestSECURITY_K1_AnAddressThatProvedNothingGetsThreeTimesWhatItSent", "adapters/limit TestAmplification_S9_ThreeTimesUntilProven", "mqttsn TestMQTTSN_X7_UnprovenAddressIsSentThreeTimesWhatItSent", "coap TestCoAP_S1_ObserveNeedsAProof"},
	"K2a": {"adapters/listen TestDTLS_K2a_AFloodWithoutCookieLeavesNothing", "adapters/listen TestDTLS_K2a_FragmentsThatAreNeverCompleted"},
	"K2b": {"adapters/listen TestDTLS_K2b_PlainRecordsDoNotReachAnAssociation"},
	"K3a": {"rows"}, "K3b": {"rows"},
	"K3c": {"test/abuse TestSECURITY_K3c_SleepersHoldWhatTheyMay", "test/abuse TestSECURITY_K3c_L28_ASleeperAtTheDefaults", "mqttsn TestMQTTSN_K7_MessagesAreBufferedOldestDroppedFirst"},
	"K3d": {"test/abuse TestSECURITY_F6_K3d_ADeviceOfTheTableIsTakenOverFromItsOwnAddressAlone", "internal/access TestSecurity_2_2_TheTableOfClients"},
	"K3e": {"rows", "mqttsn TestMQTTSN_F5_ForwarderOutsideTheListIsDropped"},
	"K4a": {"rows"}, "K4b": {"rows", "coap TestCoAP_B13_TransfersAndMemoryAreBounded"}, "K4c": {"rows"}, "K4d": {"rows"},
	"K5": {"rows", "test/abuse TestSECURITY_K5_ManySourcesOneDatagramEach", "internal/standard TestSECURITY_K5_APeerThatProvedNothingHoldsAtMost600Bytes", "adapters/limit TestPeers_L24",
		"mqttsn TestSECURITY_K5_CONNECTFromAnUnprovenAddressMakesNoSession", "mqttsn TestSECURITY_L24_TheOldestOfAnUnprovenAddressGoesFirst",
		"coap TestSECURITY_K5_AnUnprovenPeerIsForgottenAfterHalfAMinute", "coap TestSECURITY_L24_TheUnprovenGoFirstAndTheOldestOfThem"},
	"K6": {"test/abuse TestSECURITY_K6_AKnownPeerTurnsHostile", "mqttsn TestMQTTSN_X5_RateOfAClient", "coap TestSecurity_K6_APeerThatExceedsItsRateIsNotRead"},

	"R1": {"internal/gateway TestSecurity_O6_O7_R1_AnOutageOfTheStoreIsSaidAndEndsByItself", "internal/store/disk TestSECURITY_O6_O7_R1_WhateverFailsNothingAcknowledgedIsLostOrDoubled",
		"internal/store/disk TestSECURITY_O7_R1_AFailedSyncIsAnErrorAndStopsAllWrites"},
	"R2":  {"internal/gateway TestSecurity_O5_R2_AFloodStaysWithinTheMemory"},
	"R3":  {"internal/gateway TestSecurity_R3_WithoutDescriptors"},
	"R4":  {"internal/store/disk TestSECURITY_R4_WhatWasAcknowledgedSurvivesAPowerCut"},
	"R5":  {"internal/store/disk TestSECURITY_R5_AFlippedBitIsReportedAndNeverRead", "internal/store/disk TestSECURITY_R5_ATornTailIsCutAndWhatWasBeforeItStays"},
	"R8":  {"test/crash TestStoresOfEveryFormatAreOpened"},
	"R9":  {"test/abuse TestSECURITY_R9_Soak"},
	"R6":  {"core TestSecurity_R6_AStartWithAWrongClockExpiresNothing", "core TestSecurity_R6_AStepOfTheWallClockMovesNothing", "core TestSecurity_R6_AStepWhileItRunsMovesTimesOfDayOnly", "internal/gateway TestSecurity_R6_AStepOfTheClockIsTold"},
	"R11": {"internal/gateway TestSecurity_R11_AStormOfReloadsLeavesTheLastGoodOne"},
	"R12": {"test/abuse TestSECURITY_R12_PlantedSecretsAreFoundNowhere", "internal/config TestSecurity_R12_NoErrorShowsASecret", "internal/config TestSecurity_S10_ASecretPrintsStarsEverywhere"},
	"R13": {"internal/admin TestH1_HostMustNameThisMachine", "internal/admin TestOtherMethodsAndLargeBodiesAreRefused"},
}

// later are rows of what this version does not have, each with the reason.
var later = map[string]string{
	"A7d": "AMQP 1.0 is not served", "R7": "there is no cluster", "R10": "there are no bridges",
}

func TestEveryRowOfTheListHasItsProof(t *testing.T) {
	t.Parallel()
	rows := map[string]bool{}
	for _, table := range tables {
		for _, v := range table.rows {
			for _, b := range v.of {
				rows[strings.Fields(b.id)[0]] = true
			}
		}
	}
	for _, e := range endpoints {
		for _, r := range e.rows {
			rows[strings.Fields(r.id)[0]] = true
		}
	}
	found := map[string]map[string]bool{}
	for id, tests := range proofs {
		if _, ok := later[id]; ok || len(tests) == 0 {
			t.Errorf("%s: proved, or not?", id)
		}
		for _, p := range tests {
			dir, name, ok := strings.Cut(p, " ")
			switch {
			case p == "rows" && !rows[id]:
				t.Errorf("%s: no row of the tables begins with it", id)
			case !ok && p != "rows":
				t.Errorf("%s: %q names no test", id, p)
			case ok:
				if found[dir] == nil {
					found[dir] = testsOf(t, dir)
				}
				if !found[dir][name] {
					t.Errorf("%s: %s has no %s", id, dir, name)
				}
			}
		}
	}
	for id := range strings.FieldsSeq(list) {
		if _, ok := later[id]; !ok && len(proofs[id]) == 0 {
			t.Errorf("%s: neither proved nor later", id)
		}
	}
}

// list are the rows there are.
const list = `A1 A2 A3 A4a A4b A4c A4d A4e A5a A5b A6a A6b A6c A7a A7b A7c A7d A8a A8b A8c A8d A9a A9b A10
P1a P1b P1c P1d P1e P1f P1g P1h P1i P1j P2 P3 P4 P5 P6 P7 P8 P9 P10
E1 E2 E3 E4 E5 E6 E7 E8 E9 E10 E11 E12  F1 F2 F3 F4 F5 F6
K1 K2a K2b K3a K3b K3c K3d K3e K4a K4b K4c K4d K5 K6  R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12 R13`

// testsOf are the names of a package's tests.
func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", dir, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), f, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
