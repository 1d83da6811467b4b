package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// limitRow is one row of the table of limits: what configs/default.yaml says of it, and what proves its refusal, as
// "folder TestName", or "test/abuse row" for a row that is sent to a running gateway with its defaults.
type limitRow struct {
	keys  map[string]string
	proof []string
}

// limitRows is the whole table, L1 to L31.
var limitRows = map[string]limitRow{
	"L1": {map[string]string{"limits.preauth.deadline": "5s"},
		[]string{"test/credentials TestSECURITY_L1_ADTLSHandshakeHasTenSeconds", "adapters/listen TestPreauth_L1_DeadlineOfSilence", "adapters/listen TestPreauth_L1_ProxyHeaderHandshakeAndUpgradeShareOneDeadline"}},
	"L2": {map[string]string{"limits.preauth.exchange": "5s"},
		[]string{"adapters/listen TestPreauth_L2_Exchange", "mqtt TestMQTT_ME3_L2_IsToldOverSockets", "mqtt TestMQTT_MC12_ALoginThatTakesTooLongIsCut"}},
	"L3": {map[string]string{"limits.preauth.bytes": "64KiB", "amqp.frame_max_before_open": "16384"},
		[]string{"adapters/listen TestPreauth_L3_Bytes", "mqtt TestMQTT_MC24_AConnectBeyondTheAllowanceIsToldItsCode", "stomp TestSTOMP_ST10_BeforeLoginAFrameIsAtMost64KiB",
			"test/abuse A3 above 16 KiB before tune", "test/abuse A3 256 MB announced", "test/abuse A8b a frame above 64 KiB"}},
	"L4": {map[string]string{"limits.preauth.connections.process": "1024", "limits.preauth.connections.address": "64"},
		[]string{"adapters/limit TestGate_L4_PlacesOfTheProcess", "adapters/limit TestGate_L4_PlacesOfAnAddress", "adapters/limit TestGate_L4_TrustedMayBeNobodyOrOthers",
			"adapters/listen TestPreauth_L4_Places", "adapters/listen TestDTLS_L24_PeersAndL4_Places"}},
	"L5": {map[string]string{"limits.connections": "100000"},
		[]string{"adapters/limit TestGate_L5_Connections", "adapters/limit TestGate_L5_DatagramPeersAreConnectionsWithoutADescriptor",
			"internal/gateway TestSecurity_L5_ConnectionsOfADatagramListenerAreItsClients", "internal/gateway TestSecurity_L5_TheProcessCountsEveryKindOfConnection",
			"mqttsn TestSecurity_L5_WhoFindsNoPlaceIsToldOfCongestion", "adapters/listen TestLimit_L5_Connections", "mqtt TestMQTT_L5_WhoFindsNoPlaceIsToldSo",
			"core TestSecurity_L5_ConnectionsOfANamespaceAreLimited", "internal/gateway TestSecurity_L5_AQuotaOfConnectionsIsToldInEachProtocolsWords", "internal/gateway TestSecurity_LimitsOfAListenerHoldForItAlone"}},
	"L6": {map[string]string{"limits.accept_rate.listener": "20000/s", "limits.accept_rate.address": "1000/s", "limits.trusted": "[127.0.0.0/8 ::1/128]", "mqttsn.rate_per_source": "1000/s", "coap.rate_per_source": "1000/s"},
		[]string{"adapters/limit TestGate_L6_RateOfAnAddress", "adapters/listen TestLimit_L6_AcceptRate", "mqtt TestMQTT_L6_WhoComesTooOftenIsToldSo",
			"mqttsn TestSecurity_L6_TrustedSourcesHaveNoRate", "mqttsn TestMQTTSN_X5_RatesAndSessionsOfASource",
			"coap TestSecurity_K5_UnprovenAddressesHaveARate", "coap TestSecurity_K6_APeerThatExceedsItsRateIsNotRead"}},
	"L7": {map[string]string{"limits.message_bytes": "16MiB", "coap.max_body": "1048576", "stomp.max_body": "16MiB", "mqtt.maximum_packet_size": "16777216"},
		[]string{"mqtt TestMQTT_MF5_MM3_AnInboundPacketAboveTheMaximum", "mqttsn TestMQTTSN_P15_PacketAboveTheLimit", "coap TestCoAP_B5_TooLargeIsSaidAtOnce", "coap TestCoAP_Section8_LargestBody",
			"amqp/amqp091 TestAMQP_AQ6_TooLargeEndsTheChannelAndIsDrained", "test/abuse B5 4 GiB announced", "test/abuse L7 a body of 20 MB announced", "test/abuse L7 20 MB announced, 1 MB sent"}},
	"L8": {map[string]string{"limits.topic_bytes": "65535", "limits.topic_levels": "128"},
		[]string{"mqtt TestMQTT_MP1_ATopicBeyondTheLevelLimitIsDropped", "mqtt TestMQTT_MP1_TheLongestTopicPasses", "test/abuse P1b topic of 32,000 levels", "test/abuse P1b topic of 32,000 levels 3",
			"test/abuse P6 filter of 16,000 levels", "test/abuse P1b 4000 levels"}},
	"L9": {map[string]string{"limits.client_id_bytes": "1024", "limits.username_bytes": "1024", "limits.password_bytes": "8192"},
		[]string{"test/abuse P1h client id of 60 kB", "test/abuse P1h client-id of 5 kB", "test/abuse C17 client id of 200 octets", "test/abuse A10 password of 9 kB", "mqtt TestMQTT_MC8_ABadClientIDOrUserNameIsRefused"}},
	"L10": {map[string]string{"limits.properties": "256", "limits.property_bytes": "64KiB", "stomp.max_headers": "100", "stomp.max_header_line": "8KiB"},
		[]string{"mqtt TestMQTT_MM32_TooManyProperties", "test/abuse P7 1000 user properties", "test/abuse P7 properties of 70 kB", "test/abuse A8b a million headers", "test/abuse A8a header without end",
			"test/abuse A7c tables nested 33 deep", "test/abuse AQ3 10,000 entries"}},
	"L11": {map[string]string{"limits.subscriptions.session": "10000", "limits.subscriptions.bytes": "4MiB"},
		[]string{"core TestQuotasRefuse", "core TestSecurity_L11_TheTextOfFiltersIsBounded", "internal/gateway TestSecurity_L11_LimitsOfARoleAreReloadedWithoutDroppingAnybody",
			"internal/gateway TestSECURITY_L11_L17_L19_L20_RefusalsOfEachProtocol", "test/abuse P6 65,000 filters", "test/abuse P6 1001 subscriptions", "test/abuse S14 129 subscriptions"}},
	"L12": {map[string]string{"mqtt.receive_maximum": "1024"},
		[]string{"internal/gateway TestSECURITY_L12_L13_L21_MQTTAtItsDefaults", "mqtt TestMQTT_MF3_MoreThanOurReceiveMaximum", "test/abuse P1a 1100 QoS 2 ids without PUBREL"}},
	"L13": {map[string]string{"mqtt.inflight": "256", "mqttsn.max_inflight": "1", "coap.nstart": "1"},
		[]string{"internal/gateway TestSECURITY_L12_L13_L21_MQTTAtItsDefaults", "mqtt TestMQTT_MF1_TheWindowIsTheSmallerOfBoth", "mqttsn TestMQTTSN_O3_OneMessageInFlight", "coap TestCoAP_M11_OneCONIsOutstanding"}},
	"L14": {map[string]string{"limits.queue_messages": "1000000", "limits.queue_bytes": "1GiB"},
		[]string{"core TestFullSessionQueueDropsTheOldestAndCounts", "core TestSecurity_L14_QueuesOfANamespaceTogetherAreLimited", "amqp/amqp091 TestAMQP_AQ33_MaxLengthDropsTheHeadOrRefuses",
			"stomp TestSTOMP_ST61_ATransientQueueDropsTheOldest", "coap TestCoAP_O14_QoS1IsAFifoThatDropsTheOldest", "stomp TestSTOMP_ST56_ATransactionWhoseQueueIsFullHasNoEffect"}},
	"L15": {map[string]string{"limits.memory_window.messages": "256", "limits.memory_window.bytes": "1MiB"},
		[]string{"core TestDESIGN_7_QueuesBeyondTheirWindowAreLists", "core TestAGetGoesPastWindowsThatHaveExpired"}},
	"L16": {map[string]string{"limits.write_buffer.bytes": "1MiB", "limits.write_buffer.stalled": "30s"},
		[]string{"adapters/listen TestLimit_L16_SlowConsumerIsEvicted", "mqtt TestMQTT_MF6_AClientThatDoesNotReadIsTheAffairOfL16"}},
	"L17": {map[string]string{"limits.sessions_offline.namespace": "1000000", "limits.sessions_offline.principal": "10000"},
		[]string{"core TestSecurity_L17_StoredSessionsOfAPrincipalAreLimited", "core TestSecurity_QuotasOfANamespace", "internal/gateway TestSECURITY_L11_L17_L19_L20_RefusalsOfEachProtocol"}},
	"L18": {map[string]string{"limits.session_expiry_max": "7d", "mqtt.session_expiry_max": "7d"},
		[]string{"mqtt TestMQTT_MC18_TheGrantedExpiryIsTold", "mqtt TestMQTT_MV11_ALongWillDelayIsCapped"}},
	"L19": {map[string]string{"limits.retained.namespace": "1000000", "limits.retained.principal": "100000", "limits.retained_bytes": "1GiB"},
		[]string{"core TestSecurity_L19_RetainedMessagesOfAPrincipalAreLimited", "core TestSecurity_QuotasOfANamespace", "internal/gateway TestSECURITY_L11_L17_L19_L20_RefusalsOfEachProtocol"}},
	"L20": {map[string]string{"limits.queues.namespace": "10000", "limits.queues.bindings": "1000"},
		[]string{"core TestQuotasRefuse", "core TestSecurity_QuotasOfANamespace", "internal/gateway TestSECURITY_L11_L17_L19_L20_RefusalsOfEachProtocol"}},
	"L21": {map[string]string{"mqtt.topic_alias_maximum": "64", "mqtt.topic_alias_out": "true"},
		[]string{"internal/gateway TestSECURITY_L12_L13_L21_MQTTAtItsDefaults", "mqtt TestMQTT_MM17_AliasesOutOfRange", "mqtt TestMQTT_MA3_AliasesTowardsTheClient", "test/abuse P4 alias above the maximum"}},
	"L22": {map[string]string{"limits.publish_rate": "unlimited", "limits.publish_bytes_rate": "unlimited"},
		[]string{"adapters/listen TestSecurity_L22_ReadingPausesBeyondThePublishRate", "adapters/listen TestSecurity_L22_BytesOfWhatIsPublished", "core TestSecurity_L22_RatesOfARoleAndOfANamespace",
			"internal/gateway TestSecurity_L22_APublisherBeyondTheRateOfItsNamespaceIsReadNoFurther", "mqttsn TestSecurity_L22_BeyondTheRateOfItsNamespaceAPublisherIsToldOfCongestion",
			"coap TestSecurity_L22_BeyondTheRateOfItsNamespaceARequestIsTooMany",
			"internal/gateway TestSecurity_L22_DatagramPublishersHaveTheRateOfTheirListener", "mqttsn TestSecurity_L22_BeyondTheRateOfAClientItIsToldOfCongestion"}},
	"L23": {map[string]string{"limits.auth_failures": "10/min"},
		[]string{"internal/auth TestSecurity_U13_WhoFailsTooOftenIsNotAskedAbout", "test/credentials TestSECURITY_L23_U13_WhoFailsTooOftenWaitsAndIsNotAskedAbout"}},
	"L24": {map[string]string{"limits.udp.peers": "100000", "limits.udp.peers_per_address": "1000", "mqttsn.max_clients": "100000", "mqttsn.max_clients_per_source": "1000", "coap.max_endpoints": "100000"},
		[]string{"adapters/limit TestPeers_L24", "adapters/listen TestDTLS_L24_PeersAndL4_Places", "mqttsn TestSECURITY_L24_IdleClientOfAnUnprovenAddressMakesRoom", "mqttsn TestMQTTSN_C14_TooManyClients",
			"mqttsn TestSECURITY_L24_TheOldestOfAnUnprovenAddressGoesFirst", "mqttsn TestSECURITY_L24_TrustedAddressesAreCountedToo",
			"coap TestSECURITY_L24_TheUnprovenGoFirstAndTheOldestOfThem", "coap TestSECURITY_L24_PeersOfAnAddress", "coap TestSECURITY_L24_PeersInAll",
			"coap TestCoAP_S7_EndpointsAreBoundedAndObserversStay", "coap TestCoAP_S7_WithObserversOnlyTheNextIsRefused"}},
	"L25": {map[string]string{"coap.dedup_per_endpoint": "64", "coap.dedup_total": "100000"},
		[]string{"coap TestCoAP_L25_WindowsAreBoundedInAll", "coap TestCoAP_M7_FullWindowOverwritesTheOldest", "test/abuse K4c one message 50 times"}},
	"L26": {map[string]string{"coap.observes_per_endpoint": "256", "coap.observes_per_source": "1024"},
		[]string{"coap TestCoAP_O18_BeyondTheLimitsThereIsAValueAndNoObserve", "test/abuse K4c observations above the limit"}},
	"L27": {map[string]string{"coap.blocks_per_endpoint": "16", "coap.block_memory": "67108864", "coap.block_ttl": "1m"},
		[]string{"coap TestCoAP_B13_TransfersAndMemoryAreBounded", "coap TestCoAP_B13_TransfersAreBounded", "coap TestTheTransferIdleLongestMakesRoom", "test/abuse K4b bodies never finished"}},
	"L28": {map[string]string{"mqttsn.max_topics_per_client": "128", "mqttsn.max_subscriptions": "128", "mqttsn.queue": "1000", "mqttsn.queue_qos0": "100"},
		[]string{"mqttsn TestMQTTSN_S14_TooManySubscriptions", "mqttsn TestMQTTSN_K7_MessagesAreBufferedOldestDroppedFirst", "mqttsn TestMQTTSN_K7_AFloodOfOneKindCostsTheOtherNothing",
			"core TestSecurity_L14_BytesDropWhatIsApartFirst", "test/abuse TestSECURITY_K3c_L28_ASleeperAtTheDefaults", "test/abuse L28 129 registrations", "test/abuse S14 129 subscriptions"}},
	"L29": {map[string]string{"stomp.max_transactions": "16", "stomp.max_transaction_frames": "1024"},
		[]string{"stomp TestSTOMP_TransactionsAreLimited", "test/abuse L29 17 transactions", "test/abuse L29 1025 actions", "test/abuse L29 16 transactions", "test/abuse L29 1024 actions"}},
	"L30": {map[string]string{"amqp.channel_max": "2047", "amqp.frame_max": "131072", "amqp.max_consumers": "1024"},
		[]string{"test/abuse AQ19 channel above channel-max", "test/abuse A7b frame above frame-max", "test/abuse L30 1025 consumers",
			"test/abuse L30 1024 consumers on each of two channels", "test/abuse L30 2047 channels", "test/abuse L30 a frame as large as frame-max", "core TestSecurity_L11_ConsumersOfASessionAreLimited"}},
	"L31": {map[string]string{"limits.log_rate": "50/s"},
		[]string{"internal/eventlog TestG3_BeyondItsRateAnEventIsSummedUp", "internal/gateway TestSecurity_L31_TheRateOfTheLogIsReloaded"}},
}

func TestSECURITY_L1_L31_EveryLimitHasItsDefaultAndItsProof(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../configs/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var defaults map[string]any
	if err := yaml.Unmarshal(text, &defaults); err != nil {
		t.Fatal(err)
	}
	proofs := map[string]string{} // the text of the tests of a folder
	for n := 1; n <= 31; n++ {
		id := fmt.Sprintf("L%d", n)
		row, ok := limitRows[id]
		if !ok {
			t.Errorf("%s is not in the table", id)
			continue
		}
		if len(row.keys) == 0 || len(row.proof) == 0 {
			t.Errorf("%s has no key, or no proof", id)
		}
		for key, want := range row.keys {
			if got := fmt.Sprint(follow(defaults, key)); got != want {
				t.Errorf("%s: configs/default.yaml has %s: %s, want %s", id, key, got, want)
			}
		}
		for _, p := range row.proof {
			folder, name, _ := strings.Cut(p, " ")
			if proofs[folder] == "" {
				proofs[folder] = testsOf(t, folder)
			}
			want := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(t \*testing\.T\)`)
			if folder == "test/abuse" && !strings.HasPrefix(name, "Test") {
				want = regexp.MustCompile(`\bid: ` + regexp.QuoteMeta(fmt.Sprintf("%q", name)) + `[,}]`)
			}
			if !want.MatchString(proofs[folder]) {
				t.Errorf("%s: there is no %s", id, p)
			}
		}
	}
}

// follow finds a value by the path of its key.
func follow(v any, path string) any {
	for _, key := range strings.Split(path, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// testsOf is the text of all tests of a folder.
func testsOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", folder, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
